import type { CancelDeployment, SubmitDeployment, UpdateDeployment } from "../network/driver";
import type { Envelope, Lease, Manager, OpenOrder, Terms } from "../network/snapshot";

/** What a deployment should be. */
export interface Desired {
  readonly infrastructures: Readonly<Record<string, Terms>>;
  readonly waitDuration: bigint;
  /** Absent: left as they are. */
  readonly managers: readonly Manager[] | undefined;
  /** Absent: the manifest is left as it is (its entries are resources of their own). */
  readonly manifest: DesiredManifest | undefined;
}

export interface DesiredManifest {
  readonly envelope: Envelope;
  /** Infrastructures on which it places a workload. */
  readonly placedOn: readonly string[];
  /** Names of the volumes that live in each infrastructure, as `<workload>/<volume>`. */
  readonly volumes: Readonly<Record<string, readonly string[]>>;
}

/** What identifies a deployment that does not exist yet. */
export interface Birth {
  /** 64 hexadecimal digits each. */
  readonly clientToken: string;
  readonly nonce: string;
  /** The manifest's version where `Desired` leaves it out: that of the empty one. */
  readonly emptyVersion: string;
}

/**
 * From the actual to the desired state, in the order in which the steps run. Data: preview shows it, apply runs it.
 * Equal states have a plan without steps.
 */
export interface Plan {
  readonly steps: readonly Step[];
  readonly consequences: readonly Consequence[];
  /** Rent of the leases that run now, as a rate. */
  readonly costNow: bigint;
  /** The most that the rent can be once the plan has run, as a rate. */
  readonly costThen: bigint;
  /** Blocks that orders wait, where that changes. */
  readonly wait?: { readonly before: bigint; readonly after: bigint } | undefined;
  /** Where they change. */
  readonly managers?: { readonly before: readonly Manager[]; readonly after: readonly Manager[] } | undefined;
}

export type Step =
  /** Hands the next manifest to those who hold a lease and keep it, before the chain names it. At least one must take it. */
  | { readonly kind: "stage"; readonly holders: readonly string[]; readonly version: string }
  | { readonly kind: "transaction"; readonly transaction: SubmitDeployment | UpdateDeployment | CancelDeployment }
  /** Hands the manifest to whoever holds a lease by then and does not have it. */
  | { readonly kind: "deliver"; readonly version: string };

/** What becomes of one infrastructure. */
export interface Consequence {
  readonly infrastructure: string;
  readonly outcome:
    | "opens"
    | "closes"
    | "in-place"
    | "reprices-order"
    | "reopens-order"
    /** A new order; the lease runs until its successor serves. */
    | "replaces-lease"
    | "unchanged";
  readonly before: Terms | undefined;
  readonly after: Terms | undefined;
  /** The lease that runs now. */
  readonly lease: Lease | undefined;
  /** The order that is open now. */
  readonly order: OpenOrder | undefined;
  /** The lease that is about to replace `lease`. */
  readonly successor: Lease | undefined;
  /** Volumes that end with this lease. */
  readonly volumes: readonly string[];
}
