import { createHash, createHmac } from "node:crypto";
import { type DeploymentStatus, entryDigest, entryKey, parseManifest, type Quote } from "@dcx/protocol";
import { keepsOpenOrder, meetsFrozenLease, sameTerms } from "../../plan/frozen-lease";
import { highestRate } from "../../plan/plan-deployment";
import {
  type DatacenterRecord,
  type DeploymentKey,
  type LeaseRecord,
  type NetworkDriver,
  NetworkError,
  type NetworkIdentity,
  type NetworkParameters,
  type OrderKey,
  type OrderRecord,
  type RecordsOf,
  RevisionConflict,
  type StatusCursor,
  type SubmitDeployment,
  type Transaction,
  type TransactionResult,
  type UpdateDeployment,
} from "../driver";
import type { ActualDeployment, ActualInfrastructure, Envelope, Snapshot, Terms } from "../snapshot";

interface Holder extends DatacenterRecord {
  /** Whether its agent answers. */
  up: boolean;
  /** What it asks for one compute unit, as a rate. */
  readonly asks: bigint;
  readonly manifests: Map<string, Envelope>;
  /** Whether instances become ready, and what is said when they don't. */
  broken: string | undefined;
  /** Where its global connections are reached. */
  url: string;
  /** Host and port at which they are reached besides, where `url` has a host name. */
  raw: string | undefined;
}

/**
 * A network in memory for unit tests of plans, resources and waits: the rules of the exchange that matter to a tenant,
 * and datacenters that bid, take manifests and run everything at once. A block passes whenever somebody waits for one.
 */
export class ModelNetwork implements NetworkDriver {
  readonly capabilities = { separateResources: true, infrastructureUpdates: true };
  readonly tenant = "dcx1tenant";
  readonly holders = new Map<string, Holder>();
  readonly deployments = new Map<string, ActualDeployment>();
  /** Every transaction that got into a block. */
  readonly transactions: Transaction[] = [];
  /** What each of them cost, in micro-units. */
  readonly fees: bigint[] = [];
  /** What one costs, and is foretold to. */
  feeOf: (transaction: Transaction) => bigint = () => 2100n;
  height = 100n;
  /** Called before a transaction is executed: the place for somebody else's to come first. */
  beforeExecution: (transaction: Transaction) => void | Promise<void> = () => {};
  gone = new Set<string>();

  constructor(readonly chain = "dcx-model") {}

  addDatacenter(
    address: string,
    region: string,
    asks = 10n ** 18n,
    attributes: Readonly<Record<string, string>> = {},
  ): Holder {
    const holder: Holder = {
      address,
      region,
      name: address,
      attributes,
      up: true,
      asks,
      manifests: new Map(),
      broken: undefined,
      url: `http://${address}.test:80`,
      raw: undefined,
    };
    this.holders.set(address, holder);
    return holder;
  }

  async identify(): Promise<NetworkIdentity | undefined> {
    return { network: "exchange", chain: this.chain, tenant: this.tenant };
  }

  async ensure(): Promise<NetworkIdentity> {
    return { network: "exchange", chain: this.chain, tenant: this.tenant };
  }

  async relation(chain: string): Promise<"same" | "gone" | "other"> {
    return this.gone.has(chain) ? "gone" : chain === this.chain ? "same" : "other";
  }

  async parameters(): Promise<NetworkParameters> {
    return {
      blockInterval: 500,
      denomination: "udcx",
      addressPrefix: "dcx",
      maxWaitDuration: 1000n,
      maxInfrastructures: 16,
      maxGroups: 16,
      maxAttributes: 16,
      maxCount: 1000,
      maxManagers: 8,
    };
  }

  async snapshot({ tenant, sequence }: DeploymentKey): Promise<Snapshot> {
    const deployment = this.deployments.get(`${tenant}/${sequence}`);
    return { chain: this.chain, height: this.height, deployment, balance: 10n ** 12n };
  }

  async listDeployments(
    tenant: string,
    { after, size }: { readonly after: string | undefined; readonly size: number },
  ): Promise<{ readonly found: readonly DeploymentKey[]; readonly next: string | undefined }> {
    const all = [...this.deployments.values()].filter((one) => one.active && one.tenant === tenant);
    const rest = all
      .filter(({ sequence }) => sequence > BigInt(after ?? 0))
      .sort((a, b) => Number(a.sequence - b.sequence));
    const found = rest.slice(0, size).map(({ sequence }) => ({ tenant, sequence }));
    return { found, next: rest.length > size ? String(found.at(-1)?.sequence) : undefined };
  }

  async findByToken(token: string): Promise<Snapshot> {
    const deployment = [...this.deployments.values()].find((one) => one.active && one.clientToken === token);
    return { chain: this.chain, height: this.height, deployment, balance: 10n ** 12n };
  }

  async submit(transaction: Transaction, signal: AbortSignal): Promise<TransactionResult> {
    signal.throwIfAborted();
    await this.beforeExecution(transaction);
    this.height += 1n;
    const submitted = this.#execute(transaction);
    const fee = this.feeOf(transaction);
    this.transactions.push(transaction);
    this.fees.push(fee);
    return { hash: `TX${this.transactions.length}`, height: this.height, fee, submitted };
  }

  async estimateFee(transaction: Transaction): Promise<bigint> {
    return this.feeOf(transaction);
  }

  async waitForHeight(height: bigint, signal: AbortSignal): Promise<bigint> {
    await new Promise((resolve) => setTimeout(resolve, 10));
    signal.throwIfAborted();
    if (this.height <= height) {
      this.passBlock();
    }
    return this.height;
  }

  async datacenters(): Promise<readonly DatacenterRecord[]> {
    return [...this.holders.values()];
  }

  async quote(order: OrderKey, datacenter: string): Promise<Quote> {
    const terms = this.deployments.get(`${order.tenant}/${order.sequence}`)?.infrastructures[order.infrastructure]
      ?.terms;
    if (terms === undefined) {
      throw new NetworkError("refused", "there is no such order");
    }
    return this.quoteTerms(terms, datacenter);
  }

  async quoteTerms(terms: Terms, datacenter: string): Promise<Quote> {
    const holder = this.#reached(datacenter);
    if (terms.region !== "" && terms.region !== holder.region) {
      return { willBid: false, reason: "region", message: `it is in ${holder.region}` };
    }
    const rate = this.#asks(holder, terms);
    return rate > highestRate(terms)
      ? { willBid: false, reason: "price", message: "your maximum is below its price", rate: String(rate) }
      : { willBid: true, rate: String(rate) };
  }

  async orders(of: RecordsOf, state: OrderRecord["state"]): Promise<readonly OrderRecord[]> {
    return this.#records(of).flatMap(({ key, one }) =>
      state === "open" && one.order !== undefined
        ? [{ ...key, ...one.order, state, terms: one.terms, reason: undefined }]
        : [],
    );
  }

  async leases(of: RecordsOf, state: LeaseRecord["state"]): Promise<readonly LeaseRecord[]> {
    return this.#records(of).flatMap(({ key, one }) =>
      state === "active" && one.lease !== undefined
        ? [
            {
              ...key,
              generation: one.lease.generation,
              state,
              lease: one.lease,
              lastConfirmedHeight: this.height,
              rentPaid: 0n,
              deposit: 0n,
              collateral: 0n,
              reason: undefined,
              closedHeight: undefined,
            },
          ]
        : [],
    );
  }

  async balance(address: string): Promise<bigint> {
    return address === this.tenant ? 10n ** 12n : 0n;
  }

  #records({ tenant, sequence }: RecordsOf) {
    return [...this.deployments.values()]
      .filter((one) => one.active && one.tenant === tenant && (sequence === undefined || one.sequence === sequence))
      .flatMap((deployment) =>
        Object.entries(deployment.infrastructures).map(([infrastructure, one]) => ({
          key: { tenant, sequence: deployment.sequence, infrastructure },
          one,
        })),
      );
  }

  async handManifest(_deployment: DeploymentKey, holder: string, envelope: Envelope): Promise<void> {
    this.#reached(holder).manifests.set(envelope.version, envelope);
  }

  async fetchManifest(_deployment: DeploymentKey, holder: string, version: string): Promise<Envelope | undefined> {
    return this.#reached(holder).manifests.get(version);
  }

  async status(
    { tenant, sequence }: DeploymentKey,
    address: string,
    _after: StatusCursor,
    signal: AbortSignal,
  ): Promise<DeploymentStatus> {
    signal.throwIfAborted();
    const holder = this.#reached(address);
    const actual = this.deployments.get(`${tenant}/${sequence}`);
    const places = Object.entries(actual?.infrastructures ?? {})
      .filter(([, { lease, successor }]) => [lease?.datacenter, successor?.datacenter].includes(address))
      .map(([name]) => name);
    if (actual === undefined || !actual.active || places.length === 0) {
      throw new NetworkError("refused", `${address} holds no lease of that deployment`);
    }
    const envelope = holder.manifests.get(actual.version);
    const base = { cursor: String(this.height), height: String(this.height) };
    if (envelope === undefined) {
      return { ...base, complete: false, workloads: {}, connections: {} };
    }
    const manifest = parseManifest(envelope.manifest);
    const workloads: DeploymentStatus["workloads"] = {};
    for (const [name, entry] of Object.entries(manifest.workloads)) {
      if (!places.includes(entry.infrastructure)) {
        continue;
      }
      const desired = entry.count ?? 1;
      workloads[name] = {
        desired,
        entryDigest: entryDigest(manifest.salt, entryKey("workloads", name), entry),
        instances: Array.from({ length: desired }, (_, index) =>
          holder.broken === undefined
            ? { index, state: "ready", restarts: 0 }
            : { index, state: "exited", message: holder.broken, restarts: 3 },
        ),
      };
    }
    const connections: DeploymentStatus["connections"] = {};
    for (const [name, { from }] of Object.entries(manifest.connections)) {
      connections[name] =
        from.global === true
          ? {
              role: "ingress",
              established: true,
              address: holder.url,
              ...(holder.raw === undefined ? {} : { rawAddress: holder.raw }),
              ...(from.hosts && { hosts: Object.fromEntries(from.hosts.map((host) => [host, unproven])) }),
            }
          : { role: "source", established: true };
    }
    return {
      ...base,
      version: actual.version,
      complete: envelope.entries >= actual.manifestEntries,
      workloads,
      connections,
    };
  }

  async clientToken(urn: string, namespace: string): Promise<string> {
    return keyed("token", urn, namespace);
  }

  async manifestSalt(token: string, nonce: string): Promise<string> {
    return keyed("salt", token, nonce);
  }

  async owner(text: string): Promise<string> {
    return keyed("owner", text);
  }

  /** One block: orders that are due are matched, successors that hold the manifest take over. */
  passBlock(): void {
    this.height += 1n;
    for (const [key, deployment] of this.deployments) {
      if (deployment.active) {
        const infrastructures = Object.entries(deployment.infrastructures).map(
          ([name, one]) => [name, this.#advance(one, deployment.version)] as const,
        );
        this.deployments.set(key, { ...deployment, infrastructures: Object.fromEntries(infrastructures) });
      }
    }
  }

  /** Breaks a lease; nothing is ordered in its place. */
  breakLease(key: DeploymentKey, name: string): void {
    this.change(key, (deployment) => {
      const one = deployment.infrastructures[name];
      return one === undefined
        ? deployment
        : {
            ...deployment,
            infrastructures: {
              ...deployment.infrastructures,
              [name]: {
                ...one,
                lease: undefined,
                ended: { what: "lease", reason: "stale", datacenter: one.lease?.datacenter, height: this.height },
              },
            },
          };
    });
  }

  change({ tenant, sequence }: DeploymentKey, change: (deployment: ActualDeployment) => ActualDeployment): void {
    const key = `${tenant}/${sequence}`;
    const deployment = this.deployments.get(key);
    if (deployment !== undefined) {
      this.deployments.set(key, change(deployment));
    }
  }

  #advance(one: ActualInfrastructure, version: string): ActualInfrastructure {
    const served = (address: string): boolean => this.holders.get(address)?.manifests.has(version) ?? false;
    if (one.successor !== undefined) {
      this.#fetchFromOthers(one.successor.datacenter, version);
    }
    if (one.successor !== undefined && served(one.successor.datacenter)) {
      return { ...one, lease: { ...one.successor, confirmedVersion: version }, successor: undefined };
    }
    if (one.order !== undefined && this.height >= one.order.dueHeight) {
      const { terms, order } = one;
      const [winner] = [...this.holders.values()]
        .filter(
          (holder) =>
            this.#fits(holder, terms) &&
            !(order.replaces && one.lease?.datacenter === holder.address && this.holders.size > 1),
        )
        .sort((a, b) => (this.#asks(a, terms) < this.#asks(b, terms) ? -1 : 1));
      if (winner === undefined) {
        return one;
      }
      const lease = {
        generation: order.generation,
        datacenter: winner.address,
        region: winner.region,
        attributes: winner.attributes,
        resources: terms.resources.map((group) => ({ ...group, price: winner.asks })),
        rate: this.#asks(winner, terms),
        startHeight: this.height,
        confirmedVersion: undefined,
        noticeEnd: undefined,
      };
      return one.lease === undefined
        ? { ...one, order: undefined, lease }
        : { ...one, order: undefined, successor: lease };
    }
    if (one.lease !== undefined && one.lease.confirmedVersion !== version && served(one.lease.datacenter)) {
      return { ...one, lease: { ...one.lease, confirmedVersion: version } };
    }
    return one;
  }

  /** Holders fetch a manifest from one another. */
  #fetchFromOthers(datacenter: string, version: string): void {
    const found = [...this.holders.values()].find(({ up, manifests }) => up && manifests.has(version));
    const envelope = found?.manifests.get(version);
    if (envelope !== undefined) {
      this.holders.get(datacenter)?.manifests.set(version, envelope);
    }
  }

  #execute(transaction: Transaction): TransactionResult["submitted"] {
    switch (transaction.kind) {
      case "submit-deployment":
        return this.#submit(transaction);
      case "update-deployment":
        this.#update(transaction);
        return undefined;
      case "cancel-deployment": {
        const key = `${transaction.deployment.tenant}/${transaction.deployment.sequence}`;
        const deployment = this.deployments.get(key);
        if (deployment === undefined || !deployment.active || deployment.incarnation !== transaction.incarnation) {
          throw new NetworkError("refused", "another incarnation");
        }
        this.deployments.set(key, { ...deployment, active: false, infrastructures: {} });
        return undefined;
      }
    }
  }

  #submit(transaction: SubmitDeployment): TransactionResult["submitted"] {
    const known = [...this.deployments.values()].find(
      ({ active, clientToken }) => active && clientToken === transaction.clientToken,
    );
    if (known !== undefined) {
      const incarnation = known.incarnation + 1n;
      this.change(known, (deployment) => ({ ...deployment, incarnation }));
      return { deployment: { tenant: known.tenant, sequence: known.sequence }, incarnation, existed: true };
    }
    if (transaction.version === "") {
      throw new NetworkError("refused", "version: must have 32 bytes, and has 0");
    }
    const sequence = BigInt(this.deployments.size + 1);
    const infrastructures = Object.entries(transaction.infrastructures).map(
      ([name, terms]) => [name, this.#opened(terms, undefined, transaction.waitDuration, 1)] as const,
    );
    this.deployments.set(`${this.tenant}/${sequence}`, {
      tenant: this.tenant,
      sequence,
      active: true,
      revision: 1n,
      incarnation: 1n,
      version: transaction.version,
      manifestEntries: transaction.manifestEntries,
      clientToken: transaction.clientToken,
      nonce: transaction.nonce,
      waitDuration: transaction.waitDuration,
      infrastructures: Object.fromEntries(infrastructures),
      managers: transaction.managers,
      lastChange: undefined,
    });
    return { deployment: { tenant: this.tenant, sequence }, incarnation: 1n, existed: false };
  }

  #update(transaction: UpdateDeployment): void {
    const key = `${transaction.deployment.tenant}/${transaction.deployment.sequence}`;
    const deployment = this.deployments.get(key);
    if (deployment === undefined || !deployment.active) {
      throw new NetworkError("refused", "not active");
    }
    if (deployment.revision !== transaction.revision) {
      throw new RevisionConflict(`revision ${transaction.revision} is not ${deployment.revision}`);
    }
    const infrastructures = { ...deployment.infrastructures };
    for (const name of transaction.removed) {
      delete infrastructures[name];
    }
    const wait = transaction.waitDuration ?? deployment.waitDuration;
    for (const [name, terms] of Object.entries(transaction.infrastructures)) {
      infrastructures[name] = this.#changed(infrastructures[name], terms, wait);
    }
    this.deployments.set(key, {
      ...deployment,
      infrastructures,
      waitDuration: wait,
      revision: deployment.revision + 1n,
      version: transaction.manifest?.version ?? deployment.version,
      manifestEntries: transaction.manifest?.entries ?? deployment.manifestEntries,
      managers: transaction.managers ?? deployment.managers,
      lastChange: { by: this.tenant, transaction: `TX${this.transactions.length + 1}`, height: this.height },
    });
  }

  #changed(now: ActualInfrastructure | undefined, terms: Terms, wait: bigint): ActualInfrastructure {
    const generation = (now?.order?.generation ?? now?.lease?.generation ?? 0) + 1;
    if (now === undefined || (now.lease === undefined && now.order === undefined)) {
      return this.#opened(terms, undefined, wait, generation);
    }
    if ((now.order !== undefined || now.successor !== undefined) && sameTerms(now.terms, terms)) {
      return now;
    }
    // A lease under notice goes whatever the terms.
    const kept = now.lease !== undefined && now.lease.noticeEnd === undefined && meetsFrozenLease(terms, now.lease);
    if (kept) {
      return { ...now, terms, order: undefined, successor: undefined };
    }
    return now.lease === undefined && keepsOpenOrder(now.terms, terms)
      ? { ...now, terms }
      : this.#opened(terms, now, wait, generation);
  }

  #opened(terms: Terms, now: ActualInfrastructure | undefined, wait: bigint, generation: number): ActualInfrastructure {
    const replaces = now?.lease !== undefined;
    return {
      terms,
      declaredBy: this.tenant,
      order: { generation, openedHeight: this.height, dueHeight: this.height + wait, offers: [], replaces },
      lease: now?.lease,
      successor: undefined,
      ended: undefined,
    };
  }

  #fits(holder: Holder, terms: Terms): boolean {
    return (
      holder.up &&
      (terms.region === "" || terms.region === holder.region) &&
      Object.entries(terms.attributes).every(([key, value]) => holder.attributes[key] === value) &&
      !terms.deniedDatacenters.includes(holder.address) &&
      (terms.allowedDatacenters.length === 0 || terms.allowedDatacenters.includes(holder.address)) &&
      terms.resources.every(({ price }) => holder.asks <= price)
    );
  }

  #asks(holder: Holder, terms: Terms): bigint {
    return terms.resources.reduce((sum, { count }) => sum + holder.asks * BigInt(count), 0n);
  }

  #reached(address: string): Holder {
    const holder = this.holders.get(address);
    if (holder === undefined || !holder.up) {
      throw new NetworkError("unreachable", `${address} does not answer`);
    }
    return holder;
  }
}

/** Nobody proves own host names to it. */
const unproven = { served: false, message: "there is no TXT record" };

function keyed(...parts: readonly string[]): string {
  return createHmac("sha256", createHash("sha256").update("model").digest()).update(parts.join("\0")).digest("hex");
}
