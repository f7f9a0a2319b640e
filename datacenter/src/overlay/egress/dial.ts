import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { addressReason, type EgressLimits, type InternetRule, portReason } from "./decide";

/** A connection that is not allowed. The message says to what and why, for the workload's owner. */
export class EgressRefused extends Error {
  override readonly name = "EgressRefused";
}

/** A connection that is allowed and could not be made. */
export class EgressFailed extends Error {
  override readonly name = "EgressFailed";
}

/** What dialing does to the world. A test puts its own in the place of these; a configuration can't. */
export interface EgressEffects {
  /** All addresses of a name. Rejects where it has none. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** Rejects where nothing accepts there. */
  readonly connect: (address: string, port: number, signal: AbortSignal) => Promise<Socket>;
  /** Addresses of this machine, now. */
  readonly own: () => readonly string[];
}

export const realEffects: EgressEffects = {
  resolve: async (name) => (await lookup(name, { all: true, order: "ipv4first" })).map(({ address }) => address),
  connect: async (address, port, signal) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
    try {
      await once(socket, "connect", { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  },
  own: () => Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address)),
};

/** Longest that a name's lookup and a connection to one address may take, in milliseconds. */
const patience = 10_000;

/**
 * Opens a connection to the internet for a workload, where its rules allow it. A name is looked up once; what is checked
 * is the address that is then dialed, so that no answer that changes meanwhile gets by.
 * @throws {EgressRefused} {EgressFailed}
 */
export async function dialInternet(
  rules: readonly InternetRule[],
  limits: EgressLimits,
  { host, port }: { readonly host: string; readonly port: number },
  effects: EgressEffects = realEffects,
): Promise<Socket> {
  const refused = portReason(rules, limits, port);
  if (refused !== undefined) throw new EgressRefused(`${shown(host)}:${port} is not reached: ${refused}`);
  const addresses = isIP(host) === 0 ? await resolved(host, effects) : [host];
  const own = effects.own();
  let reason: string | undefined;
  let failure: string | undefined;
  for (const address of addresses) {
    const why = addressReason(rules, limits, own, address, port);
    if (why !== undefined) {
      reason ??= address === host ? why : `${address}: ${why}`;
      continue;
    }
    try {
      return await effects.connect(address, port, AbortSignal.timeout(patience));
    } catch (error) {
      failure = `${address} does not accept (${codeOf(error)})`;
    }
  }
  if (failure !== undefined) throw new EgressFailed(`${shown(host)}:${port} is not reached: ${failure}`);
  throw new EgressRefused(`${shown(host)}:${port} is not reached: ${reason ?? "the name has no address"}`);
}

async function resolved(name: string, { resolve }: EgressEffects): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("ETIMEOUT")), patience);
  });
  try {
    return await Promise.race([resolve(name), late]);
  } catch (error) {
    throw new EgressFailed(`${shown(name)} is not reached: the name can't be looked up (${codeOf(error)})`);
  } finally {
    clearTimeout(timer);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return error.code === "ABORT_ERR" ? "no answer" : error.code;
  }
  return error instanceof Error ? error.message : String(error);
}

function shown(host: string): string {
  return host.includes(":") ? `[${host}]` : host.slice(0, 255);
}
