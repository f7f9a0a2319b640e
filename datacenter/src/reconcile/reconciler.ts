import { idle } from "@dcx/protocol";
import type { Logger } from "pino";
import type { ChainView } from "../chain/view";
import type { Records } from "../home/home";
import type { Capacity } from "../market/capacity";
import type { Overlay } from "../overlay/overlay";
import type { InstanceSpecification, ObservedInstance, Runtime } from "../runtime/runtime";
import { Acceptance, type Reachable } from "./acceptance";
import { HealthMonitor, type Watched } from "./health";
import type { LeaseTarget, LeaseTargets } from "./lease-target";
import { LeavingConnections } from "./leaving";
import { type Present, plan, type Step, type VolumeInUse } from "./plan";
import { runningEntry } from "./rolled";
import { type LocalInstances, wireConnections } from "./wiring";

const usualDrain = 1_000;
const firstRetry = 1_000;
const longestRetry = 30_000;

/** What is being done about an instance that the runtime does not show, or went wrong with it. */
export interface Progress {
  readonly phase: "pulling" | "starting" | "failed";
  readonly message?: string;
  readonly specification: InstanceSpecification;
}

/** What the last look at the machine showed. */
export interface Look {
  readonly targets: readonly LeaseTarget[];
  readonly observed: readonly ObservedInstance[];
}

export interface ReconcilerOptions {
  readonly runtime: Runtime;
  readonly overlay: Pick<Overlay, "apply">;
  readonly records: Records;
  readonly targets: LeaseTargets;
  /** Undefined before the chain has been read: then nothing is touched. */
  readonly view: () => ChainView | undefined;
  readonly spare: (view: ChainView) => Capacity;
  /** How long an instance goes on, to finish what it has begun, after another took its place, in ms. Default 1,000. */
  readonly drain?: number;
  readonly logger: Logger;
  /** Called after each look and whenever what is known of an instance changes. */
  readonly onChange: () => void;
}

interface Failure {
  /** Of an instance that did not start. */
  readonly progress?: Progress;
  readonly delay: number;
  readonly retryAt: number;
}

/**
 * Brings what runs to what should run: looks, plans, takes the steps, and looks again after each change. One look at a
 * time; steps run beside one another and never twice for one instance.
 */
export class Reconciler {
  readonly health: HealthMonitor;
  readonly #acceptance: Acceptance;
  readonly #leaving: LeavingConnections;
  readonly #options: ReconcilerOptions;
  readonly #underway = new Map<string, Progress | "removing">();
  readonly #failures = new Map<string, Failure>();
  readonly #images = new Set<string>();
  /** How each instance is looked after: by what its own version says, also while a newer one replaces it. */
  readonly #checks = new Map<string, Pick<Watched, "check" | "firstPort"> & Pick<Reachable, "ports">>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #look: Look = { targets: [], observed: [] };
  #looked = false;
  #working: Promise<void> | undefined;
  #again = false;
  readonly #closing = new AbortController();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.health = new HealthMonitor(options.runtime, () => this.wake());
    this.#acceptance = new Acceptance(options.runtime, () => this.wake());
    this.#leaving = new LeavingConnections(this.#drain);
  }

  /** Whether it has looked since it began: before, `look` is empty. */
  get looked(): boolean {
    return this.#looked;
  }

  get look(): Look {
    return this.#look;
  }

  /** What is known of an instance beyond what the runtime shows. */
  progress(id: string): Progress | undefined {
    const underway = this.#underway.get(id);
    if (underway !== undefined) return underway === "removing" ? undefined : underway;
    return this.#failures.get(id)?.progress;
  }

  /** Whether an instance accepts streams where connections lead to it. */
  accepts(id: string): boolean {
    return (this.#acceptance.of(id) ?? "yes") === "yes";
  }

  get #drain(): number {
    return this.#options.drain ?? usualDrain;
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Looks, and does what there is to do, soon. */
  wake(): void {
    if (this.#isClosed) return;
    if (this.#working !== undefined) {
      this.#again = true;
      return;
    }
    this.#working = this.#work()
      .catch((error) => {
        this.#options.logger.warn({ err: error }, "the runtime can't be asked what runs; trying again");
        this.#wakeIn(firstRetry);
      })
      .finally(() => {
        this.#working = undefined;
        this.#options.onChange();
        if (!this.#again) return;
        this.#again = false;
        this.wake();
      });
  }

  /** Ends looking after things; what runs goes on running. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.health.close();
    this.#acceptance.close();
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#working;
    await Promise.allSettled(this.#tasks);
  }

  async #work(): Promise<void> {
    const { overlay, runtime, spare, targets: sources } = this.#options;
    const observed = await runtime.list();
    const view = this.#options.view();
    if (view === undefined || this.#isClosed) return;
    const targets = sources.of(view);
    this.#look = { targets, observed };
    this.#looked = true;
    const watched = this.#watched(targets, observed);
    this.health.watch(watched);
    this.#acceptance.watch(watched);
    const steps = plan(
      {
        leases: new Set(targets.map(({ placement }) => placement.lease)),
        workloads: targets.flatMap(({ workloads }) => workloads),
        keepUnnamed: new Set(targets.flatMap(({ complete, placement }) => (complete ? [] : [placement.lease]))),
        spare: spare(view),
      },
      { instances: this.#present(observed), volumes: this.#volumes(), images: this.#images },
    );
    this.#forgetFailures(targets);
    for (const step of steps) this.#take(step);
    const leases = new Set(targets.map(({ placement }) => placement.lease));
    const wired = wireConnections(view, targets, this.#local(targets, observed));
    overlay.apply(this.#leaving.with(wired, leases, performance.now()));
    const { next } = this.#leaving;
    if (next !== undefined) this.#wakeIn(Math.max(0, next - performance.now()));
  }

  #take(step: Step): void {
    const key = step.kind === "remove-volume" ? step.volume : step.kind === "remove" ? step.id : step.specification.id;
    if (this.#underway.has(key)) return;
    const failure = this.#failures.get(key);
    if (failure !== undefined && failure.retryAt > performance.now()) return;
    const task = this.#run(step, key)
      .then(() => void this.#failures.delete(key))
      .catch((error) => this.#failed(step, key, error))
      .finally(() => {
        this.#underway.delete(key);
        this.#tasks.delete(task);
        this.wake();
      });
    this.#tasks.add(task);
  }

  async #run(step: Step, key: string): Promise<void> {
    const { logger, records, runtime } = this.#options;
    if (step.kind === "remove-volume") {
      this.#underway.set(key, "removing");
      await runtime.removeVolume(step.volume);
      records.remove(prefix + step.volume);
      logger.info({ volume: step.volume }, "volume removed");
    } else if (step.kind === "remove") {
      this.#underway.set(key, "removing");
      if (this.#finishes(step)) await idle(this.#drain, this.#closing.signal);
      if (this.#isClosed) return;
      await runtime.remove(step.id);
      logger.info({ instance: step.id, why: step.why }, "instance removed");
    } else {
      const { specification } = step;
      await this.#pull(specification);
      if (step.kind === "pull") return;
      this.#underway.set(key, { phase: "starting", specification });
      this.#options.onChange();
      for (const { volume } of specification.volumes) {
        records.put(prefix + volume, Buffer.from(specification.labels.lease));
      }
      await runtime.start(specification);
      logger.info({ instance: specification.id, image: specification.image }, "instance started");
    }
  }

  /** Whether it is given time to finish: its lease has ended, or another instance gets its streams from now on. */
  #finishes({ id, labels }: Extract<Step, { kind: "remove" }>): boolean {
    if (this.health.of(id)?.serving !== "yes" && !this.accepts(id)) return false;
    if (!this.#look.targets.some(({ placement }) => placement.lease === labels.lease)) return true;
    return this.#look.observed.some(
      (other) =>
        other.id !== id &&
        other.labels.deployment === labels.deployment &&
        other.labels.workload === labels.workload &&
        this.health.of(other.id)?.serving === "yes" &&
        this.#underway.get(other.id) !== "removing",
    );
  }

  async #pull(specification: InstanceSpecification): Promise<void> {
    const message = `pulling ${specification.image}`;
    this.#underway.set(specification.id, { phase: "pulling", message, specification });
    this.#options.onChange();
    await this.#options.runtime.pull(specification.image, specification.credentials);
    this.#images.add(specification.image);
  }

  #failed(step: Step, key: string, error: unknown): void {
    const delay = Math.min((this.#failures.get(key)?.delay ?? firstRetry / 2) * 2, longestRetry);
    const message = error instanceof Error ? error.message : String(error);
    this.#options.logger.warn({ step: step.kind, of: key, err: error, retryIn: delay }, "a step failed");
    const starting = step.kind === "start" || step.kind === "pull";
    this.#failures.set(key, {
      delay,
      retryAt: performance.now() + delay,
      ...(starting ? { progress: { phase: "failed", message, specification: step.specification } } : {}),
    });
    this.#wakeIn(delay);
  }

  #wakeIn(delay: number): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.wake();
    }, delay + 10);
    this.#timers.add(timer);
  }

  #forgetFailures(targets: readonly LeaseTarget[]): void {
    const wanted = new Set(idsOf(targets));
    const old = performance.now() - longestRetry;
    for (const [id, { retryAt }] of this.#failures) if (!wanted.has(id) && retryAt < old) this.#failures.delete(id);
  }

  /** What the runtime shows, and what is on its way up. What is on its way down counts until it is gone. */
  #present(observed: readonly ObservedInstance[]): readonly Present[] {
    const present = observed.map((each): Present => {
      const running = each.state.phase === "running";
      const accepts = running ? this.#acceptance.of(each.id) : "no";
      return {
        id: each.id,
        labels: each.labels,
        serving: running ? (this.health.of(each.id)?.serving ?? "unknown") : "no",
        ...(accepts === undefined ? {} : { accepts }),
        volumes: this.#volumesOf(each.id, each.labels.lease),
      };
    });
    const known = new Set(observed.map(({ id }) => id));
    for (const [id, progress] of this.#underway) {
      if (progress === "removing" || known.has(id)) continue;
      const { labels, volumes } = progress.specification;
      present.push({ id, labels, serving: "no", volumes: volumes.map(({ volume }) => volume) });
    }
    return present;
  }

  #volumes(): readonly VolumeInUse[] {
    const { records } = this.#options;
    return records.names(prefix).map((name) => ({
      volume: name.slice(prefix.length),
      lease: records.get(name)?.toString("utf8") ?? "",
    }));
  }

  /** Volumes are named after the place that mounts them: `<key>.<lease>.<workload>.<index>.<name>`. */
  #volumesOf(id: string, lease: string): readonly string[] {
    const [key, workload, index] = id.split(".");
    return this.#volumes()
      .filter((each) => {
        const [ofKey, , ofWorkload, ofIndex] = each.volume.split(".");
        return each.lease === lease && ofKey === key && ofWorkload === workload && ofIndex === index;
      })
      .map(({ volume }) => volume);
  }

  #watched(targets: readonly LeaseTarget[], observed: readonly ObservedInstance[]): readonly (Watched & Reachable)[] {
    for (const { manifest, workloads } of targets) {
      for (const { workload, instances } of workloads) {
        const entry = manifest?.workloads[workload];
        const leading = Object.values(manifest?.connections ?? {}).filter(({ to }) => to === workload);
        const ports = [...new Set(leading.map(({ port }) => port))];
        for (const { id } of instances) {
          this.#checks.set(id, { check: entry?.healthCheck, firstPort: entry?.ports?.[0], ports });
        }
      }
    }
    const known = new Set([...observed.map(({ id }) => id), ...idsOf(targets)]);
    for (const id of this.#checks.keys()) if (!known.has(id)) this.#checks.delete(id);
    return observed.flatMap(({ id, state, containerId }) => {
      if (state.phase !== "running") return [];
      const { check, firstPort, ports = [] } = this.#checks.get(id) ?? { check: undefined, firstPort: undefined };
      const run = `${containerId} ${state.startedAt}`;
      return [{ id, run, startedAt: new Date(state.startedAt), check, firstPort, ports }];
    });
  }

  #local(targets: readonly LeaseTarget[], observed: readonly ObservedInstance[]): LocalInstances {
    const present = (lease: string, workload: string): readonly ObservedInstance[] =>
      observed.filter(
        ({ labels, state }) => labels.lease === lease && labels.workload === workload && state.phase === "running",
      );
    const of = (lease: string, workload: string): readonly ObservedInstance[] =>
      present(lease, workload).filter(({ id }) => this.#underway.get(id) !== "removing");
    return {
      present: (lease, workload) => present(lease, workload).map(({ id }) => id),
      entry: (lease, workload) => {
        const target = targets.find(({ placement }) => placement.lease === lease);
        return target === undefined ? undefined : runningEntry(target, workload, observed);
      },
      running: (lease, workload) => of(lease, workload).map(({ id }) => id),
      current: (lease, workload) => {
        const target = targets.find(({ placement }) => placement.lease === lease);
        const wanted = target?.workloads.flatMap((each) => (each.workload === workload ? each.instances : [])) ?? [];
        const ids = new Set(wanted.map(({ id }) => id));
        return of(lease, workload).flatMap(({ id }) => (ids.has(id) ? [id] : []));
      },
      ready: (lease, workload) => {
        const serving = of(lease, workload).filter(({ id }) => this.health.of(id)?.serving === "yes");
        const accepting = serving.filter(({ id }) => this.accepts(id));
        return (accepting.length > 0 ? accepting : serving).map(({ id }) => id);
      },
    };
  }
}

const prefix = "volume/";

/** The volumes that were ever mounted and are not removed yet. */
export function rememberedVolumes(
  records: Records,
): readonly { readonly volume: string; readonly forget: () => void }[] {
  return records.names(prefix).map((name) => ({
    volume: name.slice(prefix.length),
    forget: () => records.remove(name),
  }));
}

function idsOf(targets: readonly LeaseTarget[]): readonly string[] {
  return targets.flatMap(({ workloads }) => workloads.flatMap(({ instances }) => instances.map(({ id }) => id)));
}
