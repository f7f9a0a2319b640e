import {
  AgentClient,
  type CertificateWithKey,
  deploymentKey,
  LeaseState,
  MAX_MANIFEST_BYTES,
  type ManifestDownload,
  parseManifest,
  type QueryDeploymentResponse,
} from "@dcx/protocol";
import type { Logger } from "pino";
import { pause } from "../chain/follower";
import type { ChainView } from "../chain/view";
import { currentRoots } from "../reconcile/wiring";
import type { ManifestStore } from "./store";

const firstRetry = 500;
const longestRetry = 5_000;
/** The largest manifest may have to come over a slow link, with stamps and JSON's escapes around it. */
const transferTime = 60_000;
const largestAnswer = 2 * MAX_MANIFEST_BYTES;

export interface PeerFetcherOptions {
  readonly chainId: string;
  /** Own address: not asked. */
  readonly datacenter: string;
  readonly store: ManifestStore;
  /** The agent's own leaf, by which it is known as a holder. */
  readonly certificate: () => CertificateWithKey | Promise<CertificateWithKey>;
  readonly view: () => ChainView | undefined;
  readonly logger: Logger;
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

  constructor(options: PeerFetcherOptions) {
    this.#options = options;
  }

  /** Begins to fetch what is wanted now, and ends what is not any more. */
  update(): void {
    const wanted = this.#wanted();
    for (const [key, stop] of this.#underway) {
      if (wanted.has(key)) continue;
      stop.abort();
      this.#underway.delete(key);
    }
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

  #wanted(): Map<string, { readonly deployment: string; readonly version: string }> {
    const wanted = new Map<string, { readonly deployment: string; readonly version: string }>();
    for (const [deployment, answer] of this.#options.view()?.deployments ?? []) {
      const version = Buffer.from(answer.deployment?.version ?? []).toString("hex");
      if (version === "" || this.#options.store.get(deployment, version) !== undefined) continue;
      if (this.#peers(answer).length > 0) wanted.set(`${deployment} ${version}`, { deployment, version });
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
    for (let delay = firstRetry; !signal.aborted; delay = Math.min(delay * 2, longestRetry)) {
      const answer = this.#options.view()?.deployments.get(deployment);
      // Not always the same one first: with many holders they pass it on to one another.
      const peers = [...(answer === undefined ? [] : this.#peers(answer))].sort(() => Math.random() - 0.5);
      for (const peer of peers) {
        if (answer !== undefined && (await this.#ask(answer, peer, deployment, version, signal))) return;
      }
      await pause(delay, signal);
    }
  }

  /** Whether it is here now. */
  async #ask(
    answer: QueryDeploymentResponse,
    peer: string,
    deployment: string,
    version: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { certificate, chainId, logger, store, view } = this.#options;
    if (signal.aborted || store.get(deployment, version) !== undefined) return true;
    const record = answer.datacenters.find(({ address }) => address === peer);
    const id = answer.deployment?.id;
    if (record === undefined || id === undefined) return false;
    const roots = currentRoots(record, view()?.height ?? 0n);
    const client = new AgentClient(
      { chainId, datacenter: peer, urls: record.agentUrls, roots },
      { kind: "peer", certificate },
      { timeout: transferTime, maxResponseBytes: largestAnswer },
    );
    try {
      const found: ManifestDownload | undefined = await client.manifest(id, version, { signal });
      if (found === undefined || signal.aborted) return false;
      parseManifest(found.manifest);
      store.put(deploymentKey(id), version, found);
      logger.info({ deployment, version, peer }, "manifest fetched from a peer");
      return true;
    } catch (error) {
      if (!signal.aborted) logger.info({ deployment, version, peer, err: error }, "a peer did not give the manifest");
      return false;
    } finally {
      await client.close();
    }
  }
}
