import type { CertificateWithKey } from "@dcx/protocol";
import type { Logger } from "pino";
import type { DatacenterRoot } from "./root";

const lifetime = 24 * 3_600_000;
/** A leaf is renewed at half of its life; a renewal that failed is tried again after this. */
const retry = 60_000;

/** The agent's own TLS leaf, renewed before it expires. */
export class AgentLeaf {
  #current: CertificateWithKey;
  #timer: NodeJS.Timeout | undefined;
  readonly #root: DatacenterRoot;
  readonly #logger: Logger;
  readonly #listeners = new Set<(leaf: CertificateWithKey) => void>();

  private constructor(root: DatacenterRoot, logger: Logger, first: CertificateWithKey) {
    this.#root = root;
    this.#logger = logger;
    this.#current = first;
    this.#renewIn(lifetime / 2);
  }

  static async create(root: DatacenterRoot, logger: Logger): Promise<AgentLeaf> {
    return new AgentLeaf(root, logger, await root.issueAgentLeaf(lifetime));
  }

  get current(): CertificateWithKey {
    return this.#current;
  }

  /** Called with each new leaf. */
  onRenewal(listener: (leaf: CertificateWithKey) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Makes a new leaf now. */
  async renew(): Promise<void> {
    this.#current = await this.#root.issueAgentLeaf(lifetime);
    for (const listener of this.#listeners) listener(this.#current);
  }

  #renewIn(delay: number): void {
    this.#timer = setTimeout(() => {
      this.renew().then(
        () => this.#renewIn(lifetime / 2),
        (error) => {
          this.#logger.error({ err: error }, "the agent's certificate could not be renewed; trying again");
          this.#renewIn(retry);
        },
      );
    }, delay);
    this.#timer.unref();
  }
}
