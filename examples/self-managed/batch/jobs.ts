/** A point of the data to which the batch fits a line. */
export type Point = readonly [x: number, y: number];

/** What a node makes of its shard; sums of all shards are the sums of the whole. */
export interface Sums {
  readonly n: number;
  readonly x: number;
  readonly y: number;
  readonly xx: number;
  readonly xy: number;
}

export interface Line {
  readonly slope: number;
  readonly intercept: number;
}

interface Task {
  readonly id: number;
  readonly points: readonly Point[];
  /** Milliseconds since 1970 at which it was last handed out. */
  taken: number | undefined;
  sums: Sums | undefined;
}

/** Batches and their tasks, in memory: what is lost with it is done again. */
export class Jobs {
  private readonly jobs = new Map<number, readonly Task[]>();
  private next = 1;

  /** @param patience milliseconds after which a task that was handed out is given to another node */
  constructor(private readonly patience: number) {}

  /** @returns the number of the job */
  add(points: readonly Point[], shards: number): number {
    const size = Math.ceil(points.length / shards);
    const tasks = Array.from({ length: shards }, (_, index) => points.slice(index * size, (index + 1) * size))
      .filter((shard) => shard.length > 0)
      .map((shard): Task => ({ id: this.next++, points: shard, taken: undefined, sums: undefined }));
    const job = this.next++;
    this.jobs.set(job, tasks);
    return job;
  }

  take(now: number): Pick<Task, "id" | "points"> | undefined {
    const task = this.tasks().find(
      ({ sums, taken }) => sums === undefined && (taken === undefined || now - taken > this.patience),
    );
    if (task === undefined) {
      return undefined;
    }
    task.taken = now;
    return { id: task.id, points: task.points };
  }

  finish(id: number, sums: Sums): void {
    const task = this.tasks().find((candidate) => candidate.id === id);
    if (task !== undefined) {
      task.sums = sums;
    }
  }

  unfinished(): number {
    return this.tasks().filter(({ sums }) => sums === undefined).length;
  }

  /** Undefined: there is no such job; without `line`: it is not done. */
  result(job: number): { readonly done: number; readonly of: number; readonly line?: Line } | undefined {
    const tasks = this.jobs.get(job);
    if (tasks === undefined) {
      return undefined;
    }
    const sums = tasks.flatMap((task) => (task.sums === undefined ? [] : [task.sums]));
    const progress = { done: sums.length, of: tasks.length };
    return sums.length === tasks.length ? { ...progress, line: lineOf(sums) } : progress;
  }

  private tasks(): readonly Task[] {
    return [...this.jobs.values()].flat();
  }
}

/** The line of least squares, of the sums of all shards. */
export function lineOf(shards: readonly Sums[]): Line {
  const total = (name: keyof Sums): number => shards.reduce((sum, shard) => sum + shard[name], 0);
  const [n, x, y, xx, xy] = [total("n"), total("x"), total("y"), total("xx"), total("xy")];
  const slope = (n * xy - x * y) / (n * xx - x * x);
  return { slope, intercept: (y - slope * x) / n };
}
