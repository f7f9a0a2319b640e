import { type DeploymentStatus, idle, withJoined } from "@dcx/protocol";

interface Waiter {
  readonly deployment: string;
  readonly after: string;
  readonly wake: () => void;
}

/** Answers what runs of a deployment; who waits for news is woken by a change, never by a clock. */
export class StatusBoard {
  readonly #waiters = new Set<Waiter>();

  /** @param describe by deployment, `<tenant>/<sequence>` */
  constructor(private readonly describe: (deployment: string) => DeploymentStatus) {}

  /** Something changed that a status may show. PERF: linear in those who wait. */
  notify(): void {
    for (const { deployment, after, wake } of [...this.#waiters])
      if (this.describe(deployment).cursor !== after) wake();
  }

  /** The status now; with `after`, the first that differs from it, or what there is after `wait` milliseconds. */
  async read(
    deployment: string,
    after: string | undefined,
    wait: number,
    signal: AbortSignal,
  ): Promise<DeploymentStatus> {
    const now = this.describe(deployment);
    if (after === undefined || now.cursor !== after || wait <= 0) return now;
    const stop = new AbortController();
    const waiter: Waiter = { deployment, after, wake: () => stop.abort() };
    this.#waiters.add(waiter);
    try {
      await withJoined([stop.signal, signal], (woken) => idle(wait, woken));
    } finally {
      this.#waiters.delete(waiter);
    }
    return this.describe(deployment);
  }
}
