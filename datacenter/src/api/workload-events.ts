import type { DeploymentStatus, InstanceStatus, WorkloadEvent } from "@dcx/protocol";

/** Events that are kept of a deployment. */
const kept = 500;

/**
 * What has happened to the instances of each deployment since the agent began, found by comparing one status with the
 * next. It is kept in memory alone.
 */
export class WorkloadEvents {
  readonly #known = new Map<string, ReadonlyMap<string, InstanceStatus>>();
  readonly #events = new Map<string, WorkloadEvent[]>();
  /** How many events of a deployment are kept no more. */
  readonly #dropped = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  /** @param now ISO time */
  note(deployment: string, { workloads }: Pick<DeploymentStatus, "workloads">, now: string): void {
    const before = this.#known.get(deployment) ?? new Map<string, InstanceStatus>();
    const after = new Map<string, InstanceStatus>(
      Object.entries(workloads).flatMap(([workload, { instances }]) =>
        instances.map((instance) => [`${workload}/${instance.index}`, instance] as const),
      ),
    );
    const found: WorkloadEvent[] = [];
    for (const [key, instance] of after) {
      const known = before.get(key);
      const { message, restarts, state } = instance;
      if (known?.state === state && known.message === message && known.restarts === restarts) continue;
      found.push({ time: now, ...split(key), state, restarts, ...(message === undefined ? {} : { message }) });
    }
    for (const [key, { restarts }] of before) {
      if (!after.has(key)) found.push({ time: now, ...split(key), state: "gone", restarts });
    }
    this.#known.set(deployment, after);
    if (found.length === 0) return;
    const events = [...(this.#events.get(deployment) ?? []), ...found];
    const dropped = Math.max(0, events.length - kept);
    this.#events.set(deployment, events.slice(dropped));
    this.#dropped.set(deployment, (this.#dropped.get(deployment) ?? 0) + dropped);
    for (const listener of this.#listeners) listener();
  }

  /** Keeps those of these deployments alone. */
  retain(deployments: ReadonlySet<string>): void {
    for (const deployment of this.#known.keys()) {
      if (deployments.has(deployment)) continue;
      this.#known.delete(deployment);
      this.#events.delete(deployment);
      this.#dropped.delete(deployment);
    }
  }

  /** The events of a deployment, oldest first; with `follow` also those to come, until the signal aborts. */
  async *read(
    deployment: string,
    follow: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<WorkloadEvent, void, undefined> {
    let next = 0;
    let wake = (): void => {};
    const listener = (): void => wake();
    this.#listeners.add(listener);
    signal.addEventListener("abort", listener, { once: true });
    try {
      while (!signal.aborted) {
        const dropped = this.#dropped.get(deployment) ?? 0;
        const event = this.#events.get(deployment)?.[Math.max(0, next - dropped)];
        next = Math.max(next, dropped);
        if (event !== undefined) {
          next += 1;
          yield event;
        } else if (!follow) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", listener);
    }
  }
}

function split(key: string): { readonly workload: string; readonly instance: number } {
  const at = key.lastIndexOf("/");
  return { workload: key.slice(0, at), instance: Number(key.slice(at + 1)) };
}
