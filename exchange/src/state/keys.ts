import type { DeploymentId, FulfillmentId, OrderId } from "@dcx/protocol";

/**
 * Keys of the state, as strings of bytes. A number is big-endian with a fixed width, so that byte order is its order;
 * a text (address, name: printable ASCII) ends with a zero byte, so that no key is a prefix of another of its kind.
 * The first two bytes say which table it is.
 */

export function uint32Key(value: number): string {
  return String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

export function uint64Key(value: bigint): string {
  return uint32Key(Number(value >> 32n)) + uint32Key(Number(value & 0xffffffffn));
}

/** Six times 32 bits: enough for the rate of any admissible order (see `quantities.ts`). */
export function rateKey(rate: bigint): string {
  return (
    uint64Key(rate >> 128n) + uint64Key((rate >> 64n) & 0xffffffffffffffffn) + uint64Key(rate & 0xffffffffffffffffn)
  );
}

export function readUint32(key: string, offset: number): number {
  let value = 0;
  for (let index = offset; index < offset + 4; index += 1) value = value * 256 + key.charCodeAt(index);
  return value;
}

export function readUint64(key: string, offset: number): bigint {
  let value = 0n;
  for (let index = offset; index < offset + 8; index += 1) value = (value << 8n) | BigInt(key.charCodeAt(index));
  return value;
}

export function textKey(text: string): string {
  return `${text}\0`;
}

export function bytesKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

export function keyBytes(key: string): Uint8Array {
  return Buffer.from(key, "latin1");
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

/** The first key after all that begin with `prefix`. Prefixes end with a byte below 255. */
export function prefixEnd(prefix: string): string {
  for (let length = prefix.length; length > 0; length -= 1) {
    const code = prefix.charCodeAt(length - 1);
    if (code < 255) return prefix.slice(0, length - 1) + String.fromCharCode(code + 1);
  }
  throw new RangeError("no key follows this prefix");
}

/** The key that follows `key` immediately. */
export function keyAfter(key: string): string {
  return `${key}\0`;
}

export function deploymentKey(id: DeploymentId): string {
  return textKey(id.tenant) + uint64Key(id.sequence);
}

export function infrastructureKey(deployment: DeploymentId, name: string): string {
  return deploymentKey(deployment) + textKey(name);
}

export function orderKey(id: OrderId): string {
  return infrastructureKey(id, id.infrastructure) + uint32Key(id.generation);
}

/** The id from what `orderKey` made. */
export function readOrderKey(key: string): OrderId {
  const tenantEnd = key.indexOf("\0");
  const nameStart = tenantEnd + 1 + 8;
  const nameEnd = key.indexOf("\0", nameStart);
  return {
    tenant: key.slice(0, tenantEnd),
    sequence: readUint64(key, tenantEnd + 1),
    infrastructure: key.slice(nameStart, nameEnd),
    generation: readUint32(key, nameEnd + 1),
  };
}

export function fulfillmentKey(order: OrderId, index: number): string {
  return orderKey(order) + uint32Key(index);
}

/** A text form of an id for messages to people. */
export function describeOrder(id: OrderId): string {
  return `${id.tenant}/${id.sequence}/${id.infrastructure}/${id.generation}`;
}

export function describeDeployment(id: DeploymentId): string {
  return `${id.tenant}/${id.sequence}`;
}

export function describeFulfillment(id: FulfillmentId): string {
  return `${id.order === undefined ? "?" : describeOrder(id.order)}/${id.index}`;
}

/** The tables, by the two bytes that their keys begin with. */
export const tables = {
  chain: "ch",
  parameters: "pa",
  totals: "to",
  interest: "in",
  account: "ac",
  datacenter: "dc",
  deployment: "de",
  deploymentCounter: "dn",
  /** (tenant, client token) → deployment, of active deployments. */
  clientToken: "dt",
  activeDeployment: "da",
  slot: "sl",
  order: "or",
  openOrder: "oo",
  /** (due height, order): open orders that have a bid. */
  matchable: "om",
  fulfillment: "fu",
  /** (order, rate, height, index): open fulfillments, best first. */
  bid: "fb",
  /** (datacenter, order, index): open and matched fulfillments. */
  datacenterFulfillment: "fd",
  lease: "le",
  activeLease: "la",
  datacenterLease: "ld",
  /** (first stale height, lease): active leases. */
  stale: "ls",
  exclusion: "ex",
  /** (grantee, granter) */
  feeGrant: "fg",
  staking: "st",
  validator: "va",
  /** (consensus address) → operator */
  validatorKey: "vk",
  /** (stake, number): validators that may be elected, least stake first. */
  candidate: "vc",
  /** (operator): the validator set. */
  activeValidator: "vs",
  validatorRewards: "vr",
  signing: "vm",
  /** (delegator, validator) */
  delegation: "dg",
  /** (validator, delegator) */
  validatorDelegation: "dv",
  /** (validator, id) */
  unbonding: "ub",
  /** (delegator, validator, id) */
  delegatorUnbonding: "ud",
  /** (source, id) */
  redelegation: "rd",
  /** (delegator, destination, id) */
  redelegationTo: "rt",
  governance: "gv",
  proposal: "pr",
  /** (end height, id): proposals that are voted on. */
  proposalEnd: "pe",
  /** (proposal, voter) */
  vote: "vo",
  /** (height, kind, subject): handovers, notices, roots. */
  timer: "ti",
  /** (height, kind, subject): expiry, exclusions, pruning. */
  housekeeping: "th",
} as const;
