import type { DeploymentStatus, Quote } from "@dcx/protocol";
import type { Envelope, Lease, Manager, Offer, Snapshot, Terms } from "./snapshot";

/**
 * How the provider meets a network. What is above it (plans, resources) knows no chain's messages; what is below it
 * knows no Pulumi. Wide enough for networks where a manifest can't change alone or a group can't change at all:
 * see `capabilities`.
 *
 * Every method rejects with a `NetworkError` that says what could not be reached or was refused; only an answer of
 * the network itself ever means "there is none".
 */
export interface NetworkDriver {
  readonly capabilities: NetworkCapabilities;

  /**
   * Chain and account. `undefined`: there is no network yet and one would be started by the first create.
   * Never starts one.
   */
  identify(signal: AbortSignal): Promise<NetworkIdentity | undefined>;

  /** As `identify`, and starts the network where that is this driver's business. Only creates may call it. */
  ensure(status: (line: string) => void, signal: AbortSignal): Promise<NetworkIdentity>;

  /**
   * What the chain named `chain` has become for this driver: the one that it speaks to, one that is proven to be gone
   * for good (an embedded network that was reset), or another one.
   */
  relation(chain: string, signal: AbortSignal): Promise<"same" | "gone" | "other">;

  parameters(signal: AbortSignal): Promise<NetworkParameters>;

  snapshot(deployment: DeploymentKey, signal: AbortSignal): Promise<Snapshot>;

  /** Active deployments of a tenant, by sequence: those that follow `after` (the `next` of the page before). */
  listDeployments(
    tenant: string,
    page: { readonly after: string | undefined; readonly size: number },
    signal: AbortSignal,
  ): Promise<{ readonly found: readonly DeploymentKey[]; readonly next: string | undefined }>;

  /** The signer's active deployment that was made with this client token (64 hexadecimal digits). */
  findByToken(token: string, signal: AbortSignal): Promise<Snapshot>;

  /**
   * Signs, sends and follows one transaction until it is in a block. Once it is signed `signal` no longer stops it:
   * its outcome is followed, so that nothing that happened goes unrecorded.
   * Rejects with `RevisionConflict` when the revision it replaces is not the newest.
   */
  submit(transaction: Transaction, signal: AbortSignal): Promise<TransactionResult>;

  /** Micro-units that this transaction costs in fees, about. `undefined`: it could not be tried as things are now. */
  estimateFee(transaction: Transaction, signal: AbortSignal): Promise<bigint | undefined>;

  /** Resolves with the newest height once it is above `height`. */
  waitForHeight(height: bigint, signal: AbortSignal): Promise<bigint>;

  /** Name and region of datacenters, as far as the network knows them; others are left out. */
  datacenters(signal: AbortSignal): Promise<readonly DatacenterRecord[]>;

  /** What a datacenter would ask for an open order, or why it would not bid. */
  quote(order: OrderKey, datacenter: string, signal: AbortSignal): Promise<Quote>;

  /** The same for terms that are no order yet. Nothing is sent to the chain. */
  quoteTerms(terms: Terms, datacenter: string, signal: AbortSignal): Promise<Quote>;

  /** Orders in this state, by deployment, infrastructure and generation. */
  orders(of: RecordsOf, state: OrderRecord["state"], signal: AbortSignal): Promise<readonly OrderRecord[]>;

  /** Leases in this state, by deployment, infrastructure and generation. */
  leases(of: RecordsOf, state: LeaseRecord["state"], signal: AbortSignal): Promise<readonly LeaseRecord[]>;

  /** Micro-units that an account has and that are not bound. Zero for one that nobody ever sent anything. */
  balance(address: string, signal: AbortSignal): Promise<bigint>;

  /** Hands a manifest to one holder: staged, or active at once where the chain already names its version. */
  handManifest(deployment: DeploymentKey, holder: string, envelope: Envelope, signal: AbortSignal): Promise<void>;

  /** `undefined`: the holder answers and does not have this version. The hash of what is returned is checked. */
  fetchManifest(
    deployment: DeploymentKey,
    holder: string,
    version: string,
    signal: AbortSignal,
  ): Promise<Envelope | undefined>;

  /** What runs at one holder. With `after`: waits up to `waitMilliseconds` for something newer than that cursor. */
  status(
    deployment: DeploymentKey,
    holder: string,
    after: StatusCursor,
    signal: AbortSignal,
  ): Promise<DeploymentStatus>;

  /** Names what this URN creates, before it exists: 64 hexadecimal digits. */
  clientToken(urn: string, namespace: string, signal: AbortSignal): Promise<string>;

  /** The salt of a deployment's manifests, from what the chain keeps of it: 64 hexadecimal digits. */
  manifestSalt(clientToken: string, nonce: string, signal: AbortSignal): Promise<string>;

  /** HMAC of a text (a URN) by the tenant's key: the `owner` of a stamp. */
  owner(text: string, signal: AbortSignal): Promise<string>;
}

export interface NetworkCapabilities {
  /** Workloads and connections as resources of their own. */
  readonly separateResources: boolean;
  /** Infrastructures can change without replacing the deployment. */
  readonly infrastructureUpdates: boolean;
}

export interface NetworkIdentity {
  /** `embedded`, `exchange` or `akash`. */
  readonly network: string;
  readonly chain: string;
  readonly tenant: string;
}

export interface NetworkParameters {
  /** Milliseconds. */
  readonly blockInterval: number;
  /** Denomination of the micro-unit. */
  readonly denomination: string;
  readonly addressPrefix: string;
  /** Blocks. */
  readonly maxWaitDuration: bigint;
  readonly maxInfrastructures: number;
  readonly maxGroups: number;
  readonly maxAttributes: number;
  readonly maxCount: number;
  readonly maxManagers: number;
}

export interface DeploymentKey {
  readonly tenant: string;
  readonly sequence: bigint;
}

export interface OrderKey extends DeploymentKey {
  readonly infrastructure: string;
  readonly generation: number;
}

export interface StatusCursor {
  readonly after: string | undefined;
  readonly waitMilliseconds: number;
}

/** Of one deployment, or of all that an account has. */
export type RecordsOf = DeploymentKey | { readonly tenant: string; readonly sequence?: undefined };

export interface OrderRecord extends OrderKey {
  readonly state: "open" | "matched" | "closed";
  readonly terms: Terms;
  readonly openedHeight: bigint;
  /** First height at which it may be matched. */
  readonly dueHeight: bigint;
  /** Why it was closed. */
  readonly reason: string | undefined;
  /** Of an open one: the offers so far, the cheapest first. */
  readonly offers: readonly Offer[];
  /** Whether it is to replace a lease. */
  readonly replaces: boolean;
}

export interface LeaseRecord extends OrderKey {
  readonly state: "active" | "closed" | "broken";
  readonly lease: Lease;
  readonly lastConfirmedHeight: bigint;
  /** Micro-units. */
  readonly rentPaid: bigint;
  readonly deposit: bigint;
  readonly collateral: bigint;
  /** Why it ended. */
  readonly reason: string | undefined;
  readonly closedHeight: bigint | undefined;
}

export interface DatacenterRecord {
  readonly address: string;
  readonly region: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** For people: a `name` attribute where it has one, else its shortened address. */
  readonly name: string;
}

/** The transactions of a plan, as data. */
export type Transaction = SubmitDeployment | UpdateDeployment | CancelDeployment;

export interface SubmitDeployment {
  readonly kind: "submit-deployment";
  readonly infrastructures: Readonly<Record<string, Terms>>;
  readonly waitDuration: bigint;
  readonly version: string;
  readonly manifestEntries: number;
  readonly nonce: string;
  readonly clientToken: string;
  readonly managers: readonly Manager[];
}

/** What is left out stays as it is. */
export interface UpdateDeployment {
  readonly kind: "update-deployment";
  readonly deployment: DeploymentKey;
  /** The revision that this replaces. */
  readonly revision: bigint;
  /** Added, or replaced by name. */
  readonly infrastructures: Readonly<Record<string, Terms>>;
  readonly removed: readonly string[];
  readonly waitDuration: bigint | undefined;
  readonly manifest: { readonly version: string; readonly entries: number } | undefined;
  readonly managers: readonly Manager[] | undefined;
}

export interface CancelDeployment {
  readonly kind: "cancel-deployment";
  readonly deployment: DeploymentKey;
  readonly incarnation: bigint;
}

export interface TransactionResult {
  readonly hash: string;
  readonly height: bigint;
  /** Micro-units. */
  readonly fee: bigint;
  /** Of a SubmitDeployment. */
  readonly submitted:
    | { readonly deployment: DeploymentKey; readonly incarnation: bigint; readonly existed: boolean }
    | undefined;
}

/** The revision that an update was to replace is no longer the newest. */
export class RevisionConflict extends Error {
  override readonly name = "RevisionConflict";
}

export type NetworkErrorCode = "unreachable" | "refused" | "funds" | "limit" | "invalid" | "cancelled";

/** What went wrong between us and a network: what it was about, why, and whether trying again can help. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  constructor(
    readonly code: NetworkErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export type { DeploymentStatus, Quote };
