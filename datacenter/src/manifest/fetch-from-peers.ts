import {
  AgentClient,
  type CertificateWithKey,
  type Datacenter,
  idle,
  LeaseState,
  MAX_MANIFEST_BYTES,
  type QueryDeploymentResponse,
} from "@dcx/protocol";
import type { Logger } from "pino";
import type { ChainView } from "../chain/view";
import type { Home } from "../home/home";
import { currentRoots } from "../reconcile/wiring";
import { discardOtherParts } from "./partial";
import { lines, peerOrder } from "./peer-order";
import { Slots } from "./slots";
import type { ManifestStore } from "./store";
import { type Giving, type Patience, Transfer, type Turn, usualPatience } from "./transfer";

const firstRetry = 500;
const longestRetry = 5_000;
/** Stamps alone are read whole: of the most entries, also over a slow link. */
const largestAnswer = MAX_MANIFEST_BYTES;
const stampsTime = 300_000;
/** Manifests that are on their way at a time. */
const transfersAtATime = 8;
/** Holders that are asked at a time. */
const askedAtATime = 64;
/** So many are asked at once, one more each time that so many milliseconds went by: each is a handshake. */
const linesAtOnce = 2;
const nextLine = 500;
/** A holder that gave less is asked after the others. */
const goodTurn = 64 * 1024;

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
  /** So that a start with many leases does not fetch all of them at once. */
  readonly #transfers = new Slots(transfersAtATime);
  readonly #asked = new Slots(askedAtATime);

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
      const task = this.#fetchAtLast(deployment, version, stop.signal).finally(() => {
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

  /** Never rejects: what goes wrong here, as on a disk that is full, is tried again. */
  async #fetchAtLast(deployment: string, version: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        return await this.#fetch(deployment, version, signal);
      } catch (err) {
        if (signal.aborted) return;
        this.#options.logger.warn({ deployment, version, err }, "a manifest can't be kept here; trying again");
        await idle(longestRetry, signal);
      }
    }
  }

  async #fetch(deployment: string, version: string, signal: AbortSignal): Promise<void> {
    const { datacenter, home, patience = usualPatience, store, view } = this.#options;
    const id = view()?.deployments.get(deployment)?.deployment?.id;
    if (id === undefined) return;
    const transfer = new Transfer({ home, store, deployment: id, version, patience });
    await using clients = new PeerClients(this.#options);
    /** Those that gave little when they were asked last: one that answers first each time would keep others away. */
    const poor = new Set<string>();
    for (let delay = firstRetry; !signal.aborted; delay = Math.min(delay * 2, longestRetry)) {
      const answer = view()?.deployments.get(deployment);
      const peers = answer === undefined ? [] : peerOrder(datacenter, this.#peers(answer));
      const asked = peers.filter((peer) => !poor.has(peer));
      const first = await this.#first({ answer, transfer, clients, signal }, asked);
      if (signal.aborted || store.has(deployment, version)) return void first?.giving.progress.abandon();
      if (first === undefined) {
        if (poor.size > 0) delay = firstRetry / 2;
        poor.clear();
      } else {
        const turn = await this.#take(transfer, first, clients, signal);
        if (turn.state === "complete") return;
        if (turn.bytes >= goodTurn && turn.state !== "slow") delay = firstRetry / 2;
        else poor.add(first.peer);
      }
      await idle(delay, signal);
    }
  }

  /** Asks a few holders at a time until one gives; the others are let go. */
  async #first({ answer, transfer, clients, signal }: Asking, peers: readonly string[]): Promise<Giver | undefined> {
    const { patience = usualPatience } = this.#options;
    // Where much is missing nobody waits for one manifest while another could be had.
    const wait = this.#underway.size * lines <= askedAtATime ? patience.wait : 0;
    const found = new AbortController();
    const end = (): void => found.abort(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    const queue = peers[Symbol.iterator]();
    let first: Giver | undefined;
    const line = async (index: number): Promise<void> => {
      await idle(Math.max(0, index + 1 - linesAtOnce) * nextLine, found.signal);
      for (const peer of queue) {
        if (found.signal.aborted || signal.aborted) return;
        const own = new AbortController();
        const leave = (): void => own.abort(found.signal.reason);
        found.signal.addEventListener("abort", leave, { once: true });
        const giver = await this.#asked.run(() =>
          this.#ask({ answer, transfer, clients, signal: own.signal }, peer, wait),
        );
        found.signal.removeEventListener("abort", leave);
        if (giver === undefined) continue;
        if (first !== undefined || signal.aborted) return giver.giving.progress.abandon();
        first = giver;
        found.abort();
      }
    };
    await Promise.all(Array.from({ length: Math.min(lines, peers.length) }, (_, index) => line(index)));
    signal.removeEventListener("abort", end);
    return first;
  }

  async #ask({ answer, transfer, clients, signal }: Asking, peer: string, wait: number): Promise<Giver | undefined> {
    const { view } = this.#options;
    const record = answer?.datacenters.find(({ address }) => address === peer);
    if (signal.aborted || record === undefined) return undefined;
    const client = await clients.to(record, view()?.height ?? 0n);
    const giving = await transfer.ask(peer, client, wait, signal);
    if (giving.state === "giving") return { peer, client, giving };
    if (giving.state === "broken" && !signal.aborted) await this.#failed(transfer, clients, peer, giving.problem, 0);
    return undefined;
  }

  async #take(
    transfer: Transfer,
    { peer, client, giving }: Giver,
    clients: PeerClients,
    signal: AbortSignal,
  ): Promise<Turn> {
    const { logger } = this.#options;
    const leave = (): void => giving.progress.abandon();
    signal.addEventListener("abort", leave, { once: true });
    const turn = await this.#transfers.run(() => transfer.take(peer, client, giving, signal));
    signal.removeEventListener("abort", leave);
    if (turn.state === "complete") logger.info({ ...transfer.what, peer }, "manifest fetched from a peer");
    else if (turn.state === "broken" && !signal.aborted) {
      await this.#failed(transfer, clients, peer, turn.problem, turn.bytes);
    }
    // It keeps a place for this one for as long as they are connected.
    if (turn.state === "slow") await clients.forget(peer);
    return turn;
  }

  async #failed(transfer: Transfer, clients: PeerClients, peer: string, err: unknown, bytes: number): Promise<void> {
    // The next attempt begins with a connection of its own, and with the certificate that is valid then.
    await clients.forget(peer);
    const what = { ...transfer.what, peer, progress: bytes > 0 };
    this.#options.logger.info({ ...what, err }, "a peer did not give the manifest");
  }
}

/** What all are asked for. */
interface Asking {
  readonly answer: QueryDeploymentResponse | undefined;
  readonly transfer: Transfer;
  readonly clients: PeerClients;
  readonly signal: AbortSignal;
}

/** A holder that gives what it was asked for. */
interface Giver {
  readonly peer: string;
  readonly client: AgentClient;
  readonly giving: Giving;
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
