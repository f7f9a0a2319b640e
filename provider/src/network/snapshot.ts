import type { Stamps } from "@dcx/protocol";

/**
 * What a network holds for one deployment, in the provider's own words: all of it at one height, so that a plan is
 * never made from two states. Tokens are micro-units, rates micro-units per block scaled by 10^18, sizes bytes,
 * cpu thousandths of a virtual CPU, heights and waits blocks.
 */
export interface Snapshot {
  readonly chain: string;
  readonly height: bigint;
  /** Absent: there is none, or there was one and it is forgotten. */
  readonly deployment: ActualDeployment | undefined;
  /** Of the tenant. */
  readonly balance: bigint;
}

export interface ActualDeployment {
  readonly tenant: string;
  readonly sequence: bigint;
  readonly active: boolean;
  readonly revision: bigint;
  readonly incarnation: bigint;
  /** 64 hexadecimal digits. */
  readonly version: string;
  readonly manifestEntries: number;
  /** 64 hexadecimal digits each. */
  readonly clientToken: string;
  readonly nonce: string;
  readonly waitDuration: bigint;
  readonly infrastructures: Readonly<Record<string, ActualInfrastructure>>;
  readonly managers: readonly Manager[];
  readonly lastChange: { readonly by: string; readonly transaction: string; readonly height: bigint } | undefined;
}

export interface ActualInfrastructure {
  readonly terms: Terms;
  /** The account that declared it: the tenant's own or a manager's. */
  readonly declaredBy: string;
  /** The order that waits for a datacenter now. */
  readonly order: OpenOrder | undefined;
  /** The lease that runs; where one is being replaced, the older. */
  readonly lease: Lease | undefined;
  /** The lease that is to replace `lease` once it serves. */
  readonly successor: Lease | undefined;
  /** Why the newest order or lease ended, where none is open or active. */
  readonly ended: Ended | undefined;
}

export interface Ended {
  readonly what: "order" | "lease";
  readonly reason: string;
  readonly datacenter: string | undefined;
  readonly height: bigint;
}

export interface OpenOrder {
  readonly generation: number;
  readonly openedHeight: bigint;
  /** First height at which it may be matched. */
  readonly dueHeight: bigint;
  readonly offers: readonly Offer[];
  readonly replaces: boolean;
}

export interface Offer {
  readonly datacenter: string;
  readonly rate: bigint;
}

export interface Lease {
  readonly generation: number;
  readonly datacenter: string;
  readonly region: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resources: readonly ResourceGroup[];
  readonly rate: bigint;
  readonly startHeight: bigint;
  /** The version that serves there as last confirmed on chain. */
  readonly confirmedVersion: string | undefined;
  /** Height at which it ends because its datacenter gave notice. */
  readonly noticeEnd: bigint | undefined;
}

/** What a tenant asks for in one infrastructure. Lists are sorted; order means nothing in them. */
export interface Terms {
  /** Empty: any. */
  readonly region: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly allowedDatacenters: readonly string[];
  readonly deniedDatacenters: readonly string[];
  readonly persist: boolean;
  readonly resources: readonly ResourceGroup[];
}

export interface ResourceGroup {
  readonly cpu: bigint;
  readonly memory: bigint;
  readonly disk: bigint;
  readonly gpu: { readonly count: number; readonly vendor: string; readonly model: string } | undefined;
  readonly count: number;
  /** Of one compute unit: the most that is paid in an order, what is asked in a lease. */
  readonly price: bigint;
  /** Of the whole group. */
  readonly collateral: bigint;
}

export interface Manager {
  readonly address: string;
  readonly maxRate: bigint | undefined;
  readonly maxCount: number;
  readonly regions: readonly string[];
  readonly datacenters: readonly string[];
  readonly mayChangeVersion: boolean;
  readonly endHeight: bigint;
}

/** A manifest on its way: canonical text, its hash, and the stamps of its entries. */
export interface Envelope {
  /** SHA-256 of `manifest` in hexadecimal. */
  readonly version: string;
  readonly manifest: string;
  readonly entries: number;
  readonly stamps: Stamps;
}
