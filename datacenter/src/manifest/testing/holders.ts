import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AgentTarget,
  type CertificateWithKey,
  certificateDer,
  createDatacenterRoot,
  createLeaf,
  Datacenter,
  Lease,
  LeaseState,
  PeerVerifier,
  QueryDeploymentResponse,
  QueryParametersResponse,
} from "@dcx/protocol";
import type { FastifyInstance } from "fastify";
import pino, { type Logger } from "pino";
import { Authorization } from "../../api/authorization";
import { type AgentApiOptions, createAgentApi } from "../../api/server";
import { StatusBoard } from "../../api/status-board";
import { WorkloadEvents } from "../../api/workload-events";
import type { ChainView } from "../../chain/view";
import { type Home, openHome } from "../../home/home";
import { PeerFetcher } from "../fetch-from-peers";
import { type ManifestStore, openManifestStore } from "../store";
import type { Patience } from "../transfer";

export const chainId = "dcx-holders";
/** Private key of the tenant. */
export const tenantKey = "01".repeat(32);
export const id = { tenant: "dcx10xcqpzrky6eff2g52qdye53xkk9jxkvrgjj2v2", sequence: 1n };
export const deployment = `${id.tenant}/1`;

/** An agent as far as it exchanges manifests: real TLS, a real store, chain state that the test writes. */
export interface Holder {
  readonly address: string;
  readonly store: ManifestStore;
  readonly fetcher: PeerFetcher;
  readonly home: Home;
  /** First bytes of the parts that others asked it for. */
  readonly asked: number[];
  /** Stops it; what is on its disk stays. */
  stop(): Promise<void>;
}

export interface LogLine {
  readonly msg: string;
  readonly peer?: string;
  readonly err?: { readonly message: string };
  readonly [other: string]: unknown;
}

/** Datacenters with a lease each of one deployment, whose manifest has a version. */
export class Holders {
  readonly folder = mkdtempSync(join(tmpdir(), "dcx-holders-"));
  readonly log: LogLine[] = [];
  readonly logger: Logger;
  /** Of the agents that are started from now on; absent: as usual. */
  apiPatience: AgentApiOptions["patience"];
  readonly #roots = new Map<string, CertificateWithKey>();
  readonly #urls = new Map<string, string>();
  readonly #former = new Set<string>();
  readonly #bidders = new Set<string>();
  readonly #running = new Set<Holder>();
  /** Made again when something of it has changed: with many holders it takes long. */
  #view: ChainView | undefined;
  #version: string;

  private constructor(
    readonly addresses: readonly string[],
    /** Hexadecimal. */
    version: string,
    readonly patience: Patience | undefined,
  ) {
    this.#version = version;
    this.logger = pino({ level: "trace" }, { write: (line: string) => void this.log.push(JSON.parse(line)) });
  }

  /** What the chain names. */
  get version(): string {
    return this.#version;
  }

  set version(version: string) {
    this.#version = version;
    this.#view = undefined;
  }

  static async create(count: number, version: string, patience?: Patience): Promise<Holders> {
    const addresses = Array.from({ length: count }, (_, index) => `dcx1dc${index}`);
    const holders = new Holders(addresses, version, patience);
    for (const datacenter of addresses) {
      holders.#roots.set(datacenter, await createDatacenterRoot({ chainId, datacenter }, validity()));
    }
    return holders;
  }

  /** A leaf of this datacenter's agent. */
  async leafOf(datacenter: string): Promise<CertificateWithKey> {
    const root = this.#roots.get(datacenter);
    if (root === undefined) throw new Error(`no datacenter ${datacenter}`);
    return await createLeaf(root, { chainId, datacenter }, validity());
  }

  /** How the others reach a datacenter's agent. */
  targetOf(datacenter: string): AgentTarget {
    const roots = [certificateDer(this.#roots.get(datacenter)?.certificate ?? "")];
    return { chainId, datacenter, urls: [this.urlOf(datacenter)], roots };
  }

  /** Says on chain where a datacenter's agent answers. */
  publish(datacenter: string, url: string): void {
    this.#urls.set(datacenter, url);
    this.#view = undefined;
  }

  /** Where its agent answers, as on chain. */
  urlOf(datacenter: string): string {
    return this.#urls.get(datacenter) ?? "https://127.0.0.1:1";
  }

  /** Ends a datacenter's lease. */
  endLease(datacenter: string): void {
    this.#former.add(datacenter);
    this.#view = undefined;
  }

  /** From now on it has only bid: the chain's answer names it, and no lease of it. */
  onlyBids(datacenter: string): void {
    this.#bidders.add(datacenter);
    this.#view = undefined;
  }

  view(): ChainView {
    this.#view ??= this.#newView();
    return this.#view;
  }

  #newView(): ChainView {
    const lease = (datacenter: string) =>
      Lease.fromPartial({
        id: { ...id, infrastructure: datacenter.slice(4), generation: 1 },
        datacenter,
        state: this.#former.has(datacenter) ? LeaseState.CLOSED : LeaseState.ACTIVE,
      });
    const record = (address: string) =>
      Datacenter.fromPartial({
        address,
        agentUrls: [this.urlOf(address)],
        roots: [{ certificate: Buffer.from(certificateDer(this.#roots.get(address)?.certificate ?? "")) }],
      });
    const answer = QueryDeploymentResponse.fromPartial({
      deployment: { id, version: Buffer.from(this.version, "hex") },
      leases: this.addresses.filter((address) => !this.#bidders.has(address)).map(lease),
      datacenters: this.addresses.map(record),
    });
    return {
      height: 5n,
      parameters: QueryParametersResponse.fromPartial({}),
      record: undefined,
      orders: new Map(),
      fulfillments: new Map(),
      leases: new Map(),
      broken: new Map(),
      deployments: new Map([[deployment, answer]]),
    };
  }

  /** Starts the agent of a datacenter, over what it has on disk. */
  async start(datacenter: string): Promise<Holder> {
    const home = openHome(join(this.folder, datacenter));
    const store = openManifestStore(home);
    const leaf = await this.leafOf(datacenter);
    const stopping = new AbortController();
    const unused = (): never => {
      throw new Error("not here");
    };
    const asked: number[] = [];
    const api: FastifyInstance<Server> = createAgentApi({
      leaf,
      authorization: new Authorization({
        chainId,
        datacenter,
        verifier: new PeerVerifier(),
        view: () => this.view(),
        isFresh: async () => true,
        refresh: async () => undefined,
        logger: this.logger,
      }),
      identity: unused,
      store,
      status: new StatusBoard(unused),
      activeVersion: () => undefined,
      recentlyHeld: () => false,
      quote: unused,
      quoteTerms: unused,
      knowsWorkload: () => false,
      logs: unused,
      events: new WorkloadEvents(),
      runtime: { open: unused },
      parameters: unused,
      signal: stopping.signal,
      logger: this.logger,
      ...(this.apiPatience === undefined ? {} : { patience: this.apiPatience }),
    });
    api.addHook("onResponse", async (request, reply) => {
      const range = request.headers.range;
      if (range !== undefined && reply.statusCode === 206) asked.push(Number(/\d+/.exec(range)?.[0]));
    });
    await api.listen({ host: "127.0.0.1", port: 0 });
    const { port } = api.server.address() as AddressInfo;
    this.publish(datacenter, `https://127.0.0.1:${port}`);
    const fetcher = new PeerFetcher({
      chainId,
      datacenter,
      home,
      store,
      certificate: () => leaf,
      view: () => this.view(),
      logger: this.logger.child({ datacenter }),
      ...(this.patience === undefined ? {} : { patience: this.patience }),
    });
    const holder: Holder = {
      address: datacenter,
      store,
      fetcher,
      home,
      asked,
      stop: async () => {
        if (!this.#running.delete(holder)) return;
        stopping.abort();
        await fetcher.close();
        await api.close();
        await home.close();
      },
    };
    this.#running.add(holder);
    return holder;
  }

  async close(): Promise<void> {
    for (const holder of [...this.#running]) await holder.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Resolves once a holder has a version. */
export function arrived({ store }: Holder, version: string): Promise<void> {
  if (store.has(deployment, version)) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = store.subscribe(() => {
      if (!store.has(deployment, version)) return;
      stop();
      resolve();
    });
  });
}

function validity() {
  const hour = 3_600_000;
  return { notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) };
}
