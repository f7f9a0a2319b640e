import ipaddr from "ipaddr.js";

/** One `egress` rule of a workload to the internet. docs/reference/manifest.md: "Egress". */
export interface InternetRule {
  /** CIDR blocks. Absent: every public address. */
  readonly addresses?: readonly string[];
  /** TCP ports. Absent: all. */
  readonly ports?: readonly number[];
}

/** What a datacenter refuses whatever a manifest declares, besides all that is not public. */
export interface EgressLimits {
  /** CIDR blocks. */
  readonly deny: readonly string[];
  readonly denyPorts: readonly number[];
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Public addresses by their block that lead to something private all the same: Azure's host is asked for metadata and
 * keys there. (Those of other clouds lie in link-local and other blocks that are not public.)
 */
const metadata = [ipaddr.parseCIDR("168.63.129.16/32")];
/** All of IPv6 that is given out to the public so far. */
const publicIPv6 = ipaddr.parseCIDR("2000::/3");

/**
 * Why no workload may reach an address, whatever is declared: it is not public, or a cloud's metadata service. Undefined:
 * it is public. An IPv4 address that is written as an IPv6 one counts as what it is.
 * @param text an address, not a name
 */
export function privateReason(text: string): string | undefined {
  if (!ipaddr.isValid(text)) return "it is no address";
  const address = ipaddr.process(text);
  const range = address.range();
  if (range !== "unicast") return `it is not public (${words(range)})`;
  if (address.kind() === "ipv6" && !within(address, publicIPv6)) return "it is not public";
  if (metadata.some((block) => within(address, block))) return "it is a cloud's metadata service";
  return undefined;
}

/**
 * Why a workload may not reach a port at all, before any name is looked up. Undefined: a rule names it, and the
 * datacenter has nothing against it.
 */
export function portReason(rules: readonly InternetRule[], limits: EgressLimits, port: number): string | undefined {
  if (limits.denyPorts.includes(port)) return `this datacenter lets nobody reach port ${port}`;
  return rules.some((rule) => hasPort(rule, port)) ? undefined : `no egress rule of the workload names port ${port}`;
}

/**
 * Why a workload may not reach an address at a port. Undefined: one of its rules names it. Pure.
 * @param own addresses of the datacenter's machine itself
 */
export function addressReason(
  rules: readonly InternetRule[],
  limits: EgressLimits,
  own: readonly string[],
  text: string,
  port: number,
): string | undefined {
  const never = privateReason(text);
  if (never !== undefined) return never;
  const refusedPort = portReason(rules, limits, port);
  if (refusedPort !== undefined) return refusedPort;
  const address = ipaddr.process(text);
  if (own.some((each) => same(each, address))) return "it is the datacenter's own";
  if (limits.deny.some((block) => within(address, ipaddr.parseCIDR(block)))) {
    return "this datacenter lets nobody reach it";
  }
  const named = rules.some(
    (rule) =>
      hasPort(rule, port) &&
      (rule.addresses === undefined || rule.addresses.some((block) => within(address, ipaddr.parseCIDR(block)))),
  );
  return named ? undefined : `no egress rule of the workload names it with port ${port}`;
}

function hasPort({ ports }: InternetRule, port: number): boolean {
  return ports === undefined || ports.includes(port);
}

function within(address: Address, [block, bits]: [Address, number]): boolean {
  // An IPv4 block that is written as an IPv6 one means IPv4 addresses.
  if (block instanceof ipaddr.IPv6 && block.isIPv4MappedAddress() && bits >= 96) {
    return within(address, [block.toIPv4Address(), bits - 96]);
  }
  if (address instanceof ipaddr.IPv4) return block instanceof ipaddr.IPv4 && address.match(block, bits);
  return block instanceof ipaddr.IPv6 && address.match(block, bits);
}

function same(text: string, address: Address): boolean {
  return ipaddr.isValid(text) && ipaddr.process(text).toNormalizedString() === address.toNormalizedString();
}

/** "carrierGradeNat" as "carrier grade nat". */
function words(range: string): string {
  return range.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
