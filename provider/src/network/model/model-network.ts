import { createHash, createHmac } from "node:crypto";
import type { DeploymentStatus, Quote } from "@dcx/protocol";
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
import type { ActualDeployment, Envelope, Snapshot, Terms } from "../snapshot";
import { type Holder, quoteOf } from "./holder";
import { statusOf } from "./holder-status";
import { advanced, changed, opened } from "./infrastructure-rules";

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
    return quoteOf(this.#reached(datacenter), terms);
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
    return statusOf(this.#reached(address), this.deployments.get(`${tenant}/${sequence}`), this.height);
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
          ([name, one]) => [name, advanced(one, deployment.version, this.holders, this.height)] as const,
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
    const opening = { by: this.tenant, height: this.height, wait: transaction.waitDuration };
    const infrastructures = Object.entries(transaction.infrastructures).map(
      ([name, terms]) => [name, opened(terms, undefined, opening, 1)] as const,
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
      infrastructures[name] = changed(infrastructures[name], terms, { by: this.tenant, height: this.height, wait });
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

  #reached(address: string): Holder {
    const holder = this.holders.get(address);
    if (holder === undefined || !holder.up) {
      throw new NetworkError("unreachable", `${address} does not answer`);
    }
    return holder;
  }
}

function keyed(...parts: readonly string[]): string {
  return createHmac("sha256", createHash("sha256").update("model").digest()).update(parts.join("\0")).digest("hex");
}
