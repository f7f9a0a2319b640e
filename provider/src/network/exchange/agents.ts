import {
  type AccountSigner,
  AgentClient,
  AgentNotTrusted,
  AgentRefused,
  AgentUnreachable,
  type Datacenter,
  type DeploymentStatus,
  type ExchangeQueryClient,
  entryCount,
  manifestVersion,
  orderKey,
  parseManifest,
  type Quote,
} from "@dcx/protocol";
import { type DeploymentKey, NetworkError, type OrderKey, type StatusCursor } from "../driver";
import type { Envelope, Terms } from "../snapshot";
import { hex, quoteTermsOf } from "./translate";

/** Speaks to the datacenters' agents, each proven by the roots that the chain has for it. */
export class Agents {
  readonly #clients = new Map<string, AgentClient>();

  constructor(
    readonly query: Pick<ExchangeQueryClient, "chainId" | "datacenters">,
    readonly signer: AccountSigner,
    /** `http://` URL of the proxy through which they are reached. */
    readonly proxy: string | undefined,
  ) {}

  async quote(order: OrderKey, datacenter: string, signal: AbortSignal): Promise<Quote> {
    return this.#ask(datacenter, signal, (client) => client.quote(orderKey(order), { signal }));
  }

  async quoteTerms(terms: Terms, datacenter: string, signal: AbortSignal): Promise<Quote> {
    const tenant = this.signer.address;
    return this.#ask(datacenter, signal, (client) => client.quoteTerms(quoteTermsOf(terms), { signal, tenant }));
  }

  async hand(deployment: DeploymentKey, holder: string, envelope: Envelope, signal: AbortSignal): Promise<void> {
    const { version, manifest, stamps } = envelope;
    await this.#ask(holder, signal, (client) =>
      client.putManifest(deployment, version, { manifest, stamps }, { signal }),
    );
  }

  async fetch(
    deployment: DeploymentKey,
    holder: string,
    version: string,
    signal: AbortSignal,
  ): Promise<Envelope | undefined> {
    const found = await this.#ask(holder, signal, (client) => client.manifest(deployment, version, { signal }));
    if (found === undefined || hex(manifestVersion(found.manifest)) !== version) {
      // What does not hash to its name is not that manifest, whoever hands it out.
      return undefined;
    }
    return { version, ...found, entries: entryCount(parseManifest(found.manifest)) };
  }

  async status(
    deployment: DeploymentKey,
    holder: string,
    cursor: StatusCursor,
    signal: AbortSignal,
  ): Promise<DeploymentStatus> {
    const after = cursor.after === undefined ? {} : { after: cursor.after, wait: cursor.waitMilliseconds };
    return this.#ask(holder, signal, (client) => client.status(deployment, { ...after, signal }));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    this.#clients.clear();
  }

  async #ask<T>(datacenter: string, signal: AbortSignal, call: (client: AgentClient) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await call(await this.#client(datacenter, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AgentUnreachable || error instanceof AgentNotTrusted) {
        this.#forget(datacenter);
        throw new NetworkError("unreachable", error.message, { cause: error });
      }
      if (error instanceof AgentRefused) {
        throw new NetworkError("refused", error.message, { cause: error });
      }
      throw error;
    }
  }

  async #client(datacenter: string, signal: AbortSignal): Promise<AgentClient> {
    const known = this.#clients.get(datacenter);
    if (known !== undefined) {
      return known;
    }
    const answer = await this.query.datacenters({ address: datacenter }, { signal });
    const record = answer.datacenters.find(({ address }) => address === datacenter);
    if (record === undefined) {
      throw new NetworkError(
        "unreachable",
        `Datacenter ${datacenter} is not registered on ${this.query.chainId} any more.`,
      );
    }
    // Many ask at once when a run begins: all go by the connection of the first.
    const meanwhile = this.#clients.get(datacenter);
    if (meanwhile !== undefined) {
      return meanwhile;
    }
    const client = this.#connect(record, answer.height);
    this.#clients.set(datacenter, client);
    return client;
  }

  #connect(record: Datacenter, height: bigint): AgentClient {
    const roots = record.roots.filter(({ endHeight }) => endHeight === 0n || endHeight >= height);
    return new AgentClient(
      {
        chainId: this.query.chainId,
        datacenter: record.address,
        urls: record.agentUrls,
        roots: roots.map(({ certificate }) => certificate),
      },
      { kind: "account", signer: this.signer },
      { proxy: this.proxy },
    );
  }

  /** Its addresses or roots may have changed: the chain is asked again at the next call. */
  #forget(datacenter: string): void {
    const known = this.#clients.get(datacenter);
    this.#clients.delete(datacenter);
    known?.close().catch(() => {});
  }
}
