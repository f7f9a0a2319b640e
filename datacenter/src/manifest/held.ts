import type { ManifestStore } from "./store";

/** How long the final status of a deployment is told to its tenant, in milliseconds. */
const farewell = 10 * 60_000;

/** Of which deployments this datacenter holds a lease: of others it keeps no manifest, and soon no word. */
export class HeldDeployments {
  #held: ReadonlySet<string> = new Set();
  /** When deployments that are held no more were. */
  readonly #former = new Map<string, number>();

  constructor(private readonly store: ManifestStore) {}

  /** @param held text ids, as the chain now says */
  update(held: { has(deployment: string): boolean; keys(): Iterable<string> }): void {
    const now = performance.now();
    for (const deployment of this.store.deployments()) {
      if (!held.has(deployment)) this.store.forget(deployment);
    }
    for (const deployment of this.#held) {
      if (!held.has(deployment)) this.#former.set(deployment, now);
    }
    this.#held = new Set(held.keys());
    for (const [deployment, since] of this.#former) {
      if (now - since > farewell || held.has(deployment)) this.#former.delete(deployment);
    }
  }

  /** Whether it held a lease of the deployment until a short while ago. */
  heldRecently(deployment: string): boolean {
    return performance.now() - (this.#former.get(deployment) ?? -farewell) < farewell;
  }
}
