import type { Server } from "node:https";
import {
  agentServerOptions,
  type Datacenter,
  idle,
  type PeerVerifier,
  type SigningExchangeClient,
} from "@dcx/protocol";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { Answers } from "./api/answers";
import { Authorization } from "./api/authorization";
import { listenAgain } from "./api/listen";
import { chainUnreachable } from "./api/refusal";
import { createAgentApi } from "./api/server";
import { StatusBoard } from "./api/status-board";
import { WorkloadEvents } from "./api/workload-events";
import { ChainFollower } from "./chain/follower";
import type { ProvenReads } from "./chain/proven-reads";
import type { ChainView, ViewChange } from "./chain/view";
import { ConfigurationError, type DatacenterConfiguration } from "./configuration";
import { Operation } from "./control/operation";
import { type Control, startControl, startMetrics } from "./control/server";
import type { Home } from "./home/home";
import type { AgentLeaf } from "./identity/agent-leaf";
import type { DatacenterRoot } from "./identity/root";
import { RootRotation } from "./identity/rotation";
import { PeerFetcher } from "./manifest/fetch-from-peers";
import { HeldDeployments } from "./manifest/held";
import { type ManifestStore, openManifestStore } from "./manifest/store";
import { Reservations } from "./market/commitments";
import { DrainingState } from "./market/draining";
import { Market } from "./market/market";
import type { PricingStrategy } from "./market/pricing";
import { AgentMetrics } from "./metrics/metrics";
import type { Overlay } from "./overlay/overlay";
import { LeaseTargets } from "./reconcile/lease-target";
import { Reconciler } from "./reconcile/reconciler";
import { servedVersion } from "./reconcile/served-version";
import { type Registration, register } from "./registration";
import type { Runtime } from "./runtime/runtime";

/** How long a request waits for an agent that has just started. */
const starting = 5_000;

/** How long closing waits for transactions that are on their way. */
const closing = 5_000;

/** What an agent is put together from. It closes none of them. */
export interface AgentParts {
  readonly configuration: DatacenterConfiguration;
  readonly home: Home;
  readonly signing: SigningExchangeClient;
  /** Absent: the endpoints are believed. */
  readonly proven?: ProvenReads;
  readonly verifier: PeerVerifier;
  readonly root: DatacenterRoot;
  readonly leaf: AgentLeaf;
  readonly runtime: Runtime;
  readonly overlay: Overlay;
  readonly pricing: (blockInterval: bigint) => PricingStrategy;
  readonly logger: Logger;
}

/** Ties the parts of an agent together: what changes in one wakes those that it concerns. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #stop = new AbortController();
  /** Aborted once it has looked at what runs for the first time. */
  readonly #looked = new AbortController();
  readonly #follower: ChainFollower;
  readonly #store: ManifestStore;
  readonly #market: Market;
  readonly #reconciler: Reconciler;
  readonly #peers: PeerFetcher;
  readonly #board: StatusBoard;
  readonly #api: FastifyInstance<Server>;
  readonly #answers: Answers;
  readonly #events = new WorkloadEvents();
  readonly #held: HeldDeployments;
  readonly #operation: Operation;
  readonly #metrics: AgentMetrics;
  readonly #rotation: RootRotation;
  #control: Control | undefined;
  #metricsServer: Control | undefined;
  readonly #unsubscribe: (() => void)[] = [];
  #following: Promise<void> = Promise.resolve();
  #registered: Promise<void> = Promise.resolve();
  #url = "";

  private constructor(parts: AgentParts) {
    this.#parts = parts;
    const { configuration, home, leaf, logger, overlay, runtime, signing, verifier } = parts;
    const { chainId } = signing.query;
    const datacenter = signing.address;
    const view = (): ChainView | undefined => this.#follower.view;
    this.#store = openManifestStore(home);
    this.#held = new HeldDeployments(this.#store);
    const draining = new DrainingState(home.records);
    this.#follower = new ChainFollower({
      query: signing.query,
      datacenter,
      region: configuration.region,
      ...(parts.proven === undefined ? {} : { proven: parts.proven }),
      remembered: () => this.#store.deployments(),
      logger: logger.child({ part: "chain" }),
      onChange: (now, change) => this.#onBlock(now, change),
    });
    const { capacity } = configuration;
    const sold = { ...capacity, gpu: BigInt(capacity.gpu?.count ?? 0) };
    this.#market = new Market({
      signing,
      follower: this.#follower,
      reservations: new Reservations(home.records),
      capacity: sold,
      ...(capacity.gpu === undefined ? {} : { gpu: capacity.gpu }),
      isolation: runtime.isolation,
      unenforced: runtime.unenforced,
      trustedTenants: configuration.trustedTenants,
      ...(configuration.collateralBudget === undefined ? {} : { collateralBudget: configuration.collateralBudget }),
      draining: configuration.draining,
      leaving: () => draining.now !== undefined,
      pricing: parts.pricing,
      served: (lease) => this.#served(lease),
      logger: logger.child({ part: "market" }),
    });
    const { isolation } = runtime;
    const { region } = configuration;
    this.#reconciler = new Reconciler({
      runtime,
      overlay,
      records: home.records,
      targets: new LeaseTargets({ chainId, datacenter, region, isolation, store: this.#store, records: home.records }),
      view,
      spare: (now) => this.#market.free(now),
      logger: logger.child({ part: "workloads" }),
      onChange: () => {
        try {
          this.#onInstances();
        } catch (err) {
          logger.error({ err }, "a change could not be passed on");
        }
      },
    });
    this.#rotation = new RootRotation({
      root: parts.root,
      leaf,
      overlay,
      view,
      register: () => this.#register(),
      logger: logger.child({ part: "identity" }),
    });
    this.#operation = new Operation({
      signing,
      rotation: this.#rotation,
      view,
      market: this.#market,
      reconciler: this.#reconciler,
      draining,
      wake: () => this.#market.wake(this.#stop.signal),
      logger: logger.child({ part: "control" }),
    });
    this.#metrics = new AgentMetrics({
      view,
      market: this.#market,
      reconciler: this.#reconciler,
      capacity: sold,
      isDraining: () => draining.now !== undefined,
      overlay,
    });
    this.#peers = new PeerFetcher({
      chainId,
      datacenter,
      home,
      store: this.#store,
      certificate: () => leaf.current,
      view,
      logger: logger.child({ part: "manifest" }),
    });
    const answers = new Answers({ chainId, datacenter, region, runtime, overlay, reconciler: this.#reconciler, view });
    this.#answers = answers;
    this.#board = new StatusBoard((deployment) => answers.status(deployment));
    const apiLogger = logger.child({ part: "api" });
    this.#api = createAgentApi({
      leaf: leaf.current,
      authorization: new Authorization({
        chainId,
        datacenter,
        verifier,
        view,
        isFresh: async (deployment) => {
          await this.#begun();
          return this.#reconciler.looked && (await this.#follower.isFresh(deployment));
        },
        refresh: (deployment) => this.#refresh(deployment),
        logger: apiLogger,
      }),
      identity: () => answers.identity(),
      store: this.#store,
      status: this.#board,
      activeVersion: (deployment) => answers.status(deployment).version,
      recentlyHeld: (deployment) => this.#held.heldRecently(deployment),
      quote: async (order) => {
        await this.#begun();
        if (view() === undefined) throw chainUnreachable();
        return await this.#market.quote(order);
      },
      quoteTerms: async (terms, tenant) => {
        await this.#begun();
        const decision = view() === undefined ? undefined : await this.#market.quoteTerms(terms, tenant);
        if (decision === undefined) throw chainUnreachable();
        return decision;
      },
      knowsWorkload: (deployment, workload) => answers.status(deployment).workloads[workload] !== undefined,
      events: this.#events,
      runtime,
      logs: (deployment, workload, instance) => answers.logs(deployment, workload, instance),
      parameters: (deployment) => answers.parameters(deployment),
      signal: this.#stop.signal,
      logger: apiLogger,
    });
  }

  /** Resolves when it listens. */
  static async start(parts: AgentParts): Promise<Agent> {
    const agent = new Agent(parts);
    try {
      await agent.#begin();
      return agent;
    } catch (error) {
      await agent.close();
      throw error;
    }
  }

  /** Resolves once its record on chain is as configured, or it was closed. */
  get registered(): Promise<void> {
    return this.#registered;
  }

  /** Aborted once it is drained and was asked to end then. */
  get drained(): AbortSignal {
    return this.#operation.drained;
  }

  /** Base URL at which it is reached. */
  get url(): string {
    return this.#url;
  }

  /** Stops; workloads go on. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#control?.close();
    await this.#metricsServer?.close();
    await this.#api.close();
    await this.#following;
    // A transaction that is on its way is followed to its outcome, but not for ever: the next start finds it.
    await atMost(closing, Promise.all([this.#registered, this.#market.settled(), this.#rotation.settled()]));
    await this.#peers.close();
    await this.#reconciler.close();
  }

  async #begin(): Promise<void> {
    const { configuration, home, leaf, logger, overlay, runtime } = this.#parts;
    const { advertise, listen } = configuration;
    const { host } = listen.agent;
    if (advertise.agentUrls === undefined && ["0.0.0.0", "::"].includes(host)) {
      throw new ConfigurationError(`advertise.agentUrls: say how others reach the agent, which listens on ${host}`);
    }
    const port = await listenAgain(this.#api, home.records, "port/agent", listen.agent, logger);
    this.#url = advertise.agentUrls?.[0] ?? `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
    leaf.onRenewal((next) => this.#api.server.setSecureContext(agentServerOptions(next)));
    this.#unsubscribe.push(
      runtime.subscribe(() => this.#reconciler.wake()),
      overlay.subscribe(() => this.#board.notify()),
      this.#store.subscribe(() => {
        this.#reconciler.wake();
        this.#peers.update();
      }),
    );
    const metrics = () => this.#metrics.read();
    this.#control = await startControl(home.path, this.#operation, metrics, logger.child({ part: "control" }));
    if (listen.metrics !== undefined) this.#metricsServer = await startMetrics(listen.metrics, metrics);
    this.#registered = this.#register();
    this.#following = this.#follower.run(this.#stop.signal);
  }

  async #register(): Promise<void> {
    const { configuration, logger, overlay, runtime, signing } = this.#parts;
    const { advertise, attributes, name, region } = configuration;
    const wanted = {
      address: signing.address,
      region,
      attributes: name === undefined ? attributes : { ...attributes, name },
      isolation: runtime.isolation,
      agentUrls: advertise.agentUrls ?? [this.#url],
      tunnelAddresses: advertise.tunnelAddresses ?? [overlay.address],
    };
    const signal = this.#stop.signal;
    const wantedNow = async (known: Datacenter | undefined): Promise<Registration> => {
      const [height, { parameters }] = await Promise.all([
        signing.query.height({ signal }),
        signing.query.parameters({ signal }),
      ]);
      return { ...wanted, ...this.#rotation.wanted(known, height, parameters?.blockInterval ?? 0n) };
    };
    await register(signing, wantedNow, logger, signal);
  }

  /** Waits, though not for long, until it has looked at the chain and at what runs. */
  async #begun(): Promise<void> {
    if (!this.#reconciler.looked) await idle(starting, this.#looked.signal);
  }

  #noteEvents(): void {
    const now = new Date().toISOString();
    const { observed, targets } = this.#reconciler.look;
    const deployments = new Set([
      ...targets.map(({ placement }) => placement.deployment),
      ...observed.map(({ labels }) => labels.deployment),
    ]);
    for (const deployment of deployments) this.#events.note(deployment, this.#answers.status(deployment), now);
    this.#events.retain(deployments);
  }

  async #refresh(deployment: string): Promise<void> {
    const { logger } = this.#parts;
    const known = this.#follower.view?.deployments.has(deployment);
    await this.#follower
      .refresh(deployment, AbortSignal.timeout(3_000))
      .catch((err) => logger.info({ err, deployment }, "a deployment could not be read"));
    if (known !== this.#follower.view?.deployments.has(deployment)) this.#reconciler.wake();
  }

  #onBlock(view: ChainView, change: ViewChange): void {
    if (change.leases) {
      this.#held.update(view.deployments);
      this.#reconciler.wake();
      this.#peers.update();
    }
    this.#operation.look();
    this.#rotation.look();
    this.#market.onChange(change, this.#stop.signal);
  }

  #onInstances(): void {
    if (this.#reconciler.looked) this.#looked.abort();
    this.#board.notify();
    this.#answers.instancesChanged();
    this.#noteEvents();
    this.#operation.look();
    for (const { placement, current, version } of this.#reconciler.look.targets) {
      const served = this.#served(placement.lease);
      const runs = served !== undefined && Buffer.from(served).toString("hex") === version;
      // The versions before are no longer needed to go back to.
      if (current && runs && version !== undefined) this.#store.forgetBefore(placement.deployment, version);
    }
    this.#market.wake(this.#stop.signal);
  }

  #served(lease: string): Uint8Array | undefined {
    const { observed, targets } = this.#reconciler.look;
    const target = targets.find(({ placement }) => placement.lease === lease);
    const record = this.#follower.view?.leases.get(lease);
    if (target === undefined || record === undefined) return undefined;
    return servedVersion(
      { ...target, record },
      observed,
      (id) => this.#reconciler.health.of(id),
      (id) => this.#reconciler.accepts(id),
    );
  }
}

async function atMost(milliseconds: number, task: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  void task.then(
    () => done.abort(),
    () => done.abort(),
  );
  await idle(milliseconds, done.signal);
}
