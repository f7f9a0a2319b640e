import type { InstanceNetwork } from "./runtime";

/** A network that has to find its instance again when that was started anew. */
export type OpenNetwork = InstanceNetwork & { refresh(): Promise<void>; close(): Promise<void> };

/** The networks of a runtime's instances, each opened when somebody first asks for it. */
export class InstanceNetworks {
  readonly #networks = new Map<string, OpenNetwork>();

  /** @param exists rejects where there is no such instance */
  async of(id: string, exists: () => Promise<unknown>, open: () => OpenNetwork): Promise<InstanceNetwork> {
    const known = this.#networks.get(id);
    if (known !== undefined) {
      return known;
    }
    await exists();
    const network = this.#networks.get(id) ?? open();
    this.#networks.set(id, network);
    return network;
  }

  /** Nothing to do is success. */
  async close(id: string): Promise<void> {
    const network = this.#networks.get(id);
    this.#networks.delete(id);
    await network?.close();
  }

  /** Has all of them look where their instances are now. */
  refresh(): void {
    for (const network of this.#networks.values()) {
      network.refresh().catch(() => undefined);
    }
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#networks.values()].map((network) => network.close()));
    this.#networks.clear();
  }
}
