import {
  AgentClient,
  type CertificateWithKey,
  type Datacenter,
  LeaseState,
  MAX_MANIFEST_BYTES,
  type QueryDeploymentResponse,
} from "@dcx/protocol";
import type { Logger } from "pino";
import { pause } from "../chain/follower";
import type { ChainView } from "../chain/view";
import type { Home } from "../home/home";
import { currentRoots } from "../reconcile/wiring";
import { discardOtherParts } from "./partial";
import type { ManifestStore } from "./store";
import { type Patience, Transfer, type Turn, usualPatience } from "./transfer";

const firstRetry = 500;
const longestRetry = 5_000;
/** Stamps alone are read whole: of the most entries, also over a slow link. */
const largestAnswer = MAX_MANIFEST_BYTES;
const stampsTime = 300_000;
/** Manifests that are on their way at a time. */
const atATime = 8;

export interface PeerFetcherOptions {
  readonly chainId: string;
  /** Own address: not asked. */
  readonly datacenter: string;
  readonly home: Pick<Home, "records" | "seal">;
  readonly store: ManifestStore;
  /** The agent's own leaf, by which it is known as a holder. */
  readonly certificate: () => CertificateWithKey | Promise<CertificateWithKey>;
  readonly view: () => ChainView | undefined;
  readonly logger: Logger;
  /** Absent: the usual one. */
  readonly patience?: Patience;
}

/**
 * Gets manifests that the chain names and this agent does not hold from the other holders of the deployment, again and
 * again with back-off until it has them or they are not wanted any more. design: "Handing it over".
 */
export class PeerFetcher {
  readonly #options: PeerFetcherOptions;
  /** What is being fetched, by deployment and version. */
  readonly #underway = new Map<string, AbortController>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #queue: (() => void)[] = [];
  #asking = 0;

  constructor(options: PeerFetcherOptions) {
    this.#options = options;
  }

  /** Begins to fetch what is wanted now, and ends what is not any more. */
  update(): void {
    const { home, view } = this.#options;
    if (view() === undefined) return;
    const wanted = this.#wanted();
    for (const [key, stop] of this.#underway) {
      if (wanted.has(key)) continue;
      stop.abort();
      this.#underway.delete(key);
    }
    discardOtherParts(home, wanted);
    for (const [key, { deployment, version }] of wanted) {
      if (this.#underway.has(key)) continue;
      const stop = new AbortController();
      this.#underway.set(key, stop);
      const task = this.#fetch(deployment, version, stop.signal).finally(() => {
        if (this.#underway.get(key) === stop) this.#underway.delete(key);
        this.#tasks.delete(task);
      });
      this.#tasks.add(task);
    }
  }

  async close(): Promise<void> {
    for (const stop of this.#underway.values()) stop.abort();
    await Promise.allSettled(this.#tasks);
  }

  /** By deployment and version, joined by a slash. */
  #wanted(): Map<string, { readonly deployment: string; readonly version: string }> {
    const wanted = new Map<string, { readonly deployment: string; readonly version: string }>();
    for (const [deployment, answer] of this.#options.view()?.deployments ?? []) {
      const version = Buffer.from(answer.deployment?.version ?? []).toString("hex");
      if (version === "" || this.#options.store.has(deployment, version)) continue;
      if (this.#peers(answer).length > 0) wanted.set(`${deployment}/${version}`, { deployment, version });
    }
    return wanted;
  }

  #peers(answer: QueryDeploymentResponse): readonly string[] {
    const holders = answer.leases
      .filter(({ state, datacenter }) => state === LeaseState.ACTIVE && datacenter !== this.#options.datacenter)
      .map(({ datacenter }) => datacenter);
    return [...new Set(holders)];
  }

  async #fetch(deployment: string, version: string, signal: AbortSignal): Promise<void> {
    const { home, patience = usualPatience, store, view } = this.#options;
    const id = view()?.deployments.get(deployment)?.deployment?.id;
    if (id === undefined) return;
    const transfer = new Transfer({ home, store, deployment: id, version, patience });
    await using clients = new PeerClients(this.#options);
    for (let delay = firstRetry; !signal.aborted; delay = Math.min(delay * 2, longestRetry)) {
      const answer = view()?.deployments.get(deployment);
      // Not always the same one first: with many holders they pass it on to one another.
      const peers = [...(answer === undefined ? [] : this.#peers(answer))].sort(() => Math.random() - 0.5);
      for (const peer of peers) {
        if (signal.aborted || store.has(deployment, version)) return;
        if (answer === undefined) break;
        const turn = await this.#inTurn(() => this.#ask(answer, peer, transfer, clients, signal));
        if (turn?.state === "complete") return;
        if (turn?.progress === true || turn?.state === "busy") delay = firstRetry / 2;
      }
      await pause(delay, signal);
    }
  }

  async #ask(
    answer: QueryDeploymentResponse,
    peer: string,
    transfer: Transfer,
    clients: PeerClients,
    signal: AbortSignal,
  ): Promise<Turn | undefined> {
    const { logger, view } = this.#options;
    const record = answer.datacenters.find(({ address }) => address === peer);
    if (signal.aborted || record === undefined) return undefined;
    const client = await clients.to(record, view()?.height ?? 0n);
    const turn = await transfer.from(peer, client, signal);
    const what = { ...transfer.what, peer };
    if (turn.state === "complete") logger.info(what, "manifest fetched from a peer");
    else if (turn.state === "broken") {
      // The next attempt begins with a connection of its own, and with the certificate that is valid then.
      await clients.forget(peer);
      if (!signal.aborted) {
        logger.info({ ...what, progress: turn.progress, err: turn.problem }, "a peer did not give the manifest");
      }
    }
    return turn;
  }

  /** So that a start with many leases does not fetch all of them at once. */
  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.#asking >= atATime) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#asking += 1;
    try {
      return await run();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#asking -= 1;
      else next();
    }
  }
}

/** A client for each peer, so that asking again and again does not take a handshake each time. */
class PeerClients implements AsyncDisposable {
  readonly #clients = new Map<string, { readonly target: string; readonly client: AgentClient }>();

  constructor(private readonly options: Pick<PeerFetcherOptions, "chainId" | "certificate">) {}

  /** @param record of the peer, as the chain has it now */
  async to(record: Datacenter, height: bigint): Promise<AgentClient> {
    const { certificate, chainId } = this.options;
    const { address, agentUrls } = record;
    const roots = currentRoots(record, height);
    const target = JSON.stringify([agentUrls, roots.map((root) => Buffer.from(root).toString("base64"))]);
    const known = this.#clients.get(address);
    if (known?.target === target) return known.client;
    await this.forget(address);
    const client = new AgentClient(
      { chainId, datacenter: address, urls: agentUrls, roots },
      { kind: "peer", certificate },
      { timeout: stampsTime, maxResponseBytes: largestAnswer },
    );
    this.#clients.set(address, { target, client });
    return client;
  }

  async forget(address: string): Promise<void> {
    const known = this.#clients.get(address);
    this.#clients.delete(address);
    await known?.client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const address of [...this.#clients.keys()]) await this.forget(address);
  }
}
