import { isIP, type Socket } from "node:net";
import { AgentNotTrusted, connectToAgent, type PeerVerifier } from "@dcx/protocol";
import type { HolderAgent } from "../overlay";
import type { Target } from "./connect-method";
import { type EgressEffects, EgressFailed, EgressRefused, realEffects } from "./dial";

/** Longest that a lookup, a connection and a handshake may take together, in milliseconds. */
const patience = 10_000;

export interface AgentDialOptions {
  readonly chainId: string;
  readonly verifier: PeerVerifier;
  readonly effects?: EgressEffects | undefined;
}

/**
 * Opens a connection to the agent of a holder for a workload that manages its deployment. Whoever holds a lease chooses
 * the address on the chain, and it may be one of this datacenter's own network: so what answers there has to prove first
 * that it is that datacenter's agent, at the very address that is then dialed.
 * @param agents those that the workload may reach
 * @throws {EgressRefused} {EgressFailed}
 */
export async function dialAgent(
  agents: readonly HolderAgent[],
  target: Target,
  { chainId, verifier, effects = realEffects }: AgentDialOptions,
): Promise<Socket> {
  const named = `${target.host}:${target.port}`;
  const [agent] = agents.filter(({ urls }) => urls.some((url) => leadsTo(url, target)));
  if (agent === undefined) {
    throw new EgressRefused(
      `${named} is not reached: it is no agent of a datacenter that holds a lease of the deployment`,
    );
  }
  const signal = AbortSignal.timeout(patience);
  const addresses = isIP(target.host) === 0 ? await resolved(target.host, effects) : [target.host];
  let failure = "the name has no address";
  for (const address of addresses) {
    const url = new URL(`https://${address.includes(":") ? `[${address}]` : address}:${target.port}`);
    try {
      const expected = { chainId, datacenter: agent.datacenter, url, roots: agent.roots };
      (await connectToAgent(expected, undefined, verifier, signal)).socket.destroy();
      return await effects.connect(address, target.port, signal);
    } catch (error) {
      if (error instanceof AgentNotTrusted) throw new EgressRefused(`${named} is not reached: ${error.message}`);
      failure = error instanceof Error ? error.message : String(error);
    }
  }
  throw new EgressFailed(`${named} is not reached: ${failure}`);
}

function leadsTo(url: string, { host, port }: Target): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, port: own } = new URL(url);
  return protocol === "https:" && hostname.replace(/^\[|\]$/g, "") === host && Number(own || "443") === port;
}

async function resolved(name: string, { resolve }: EgressEffects): Promise<readonly string[]> {
  try {
    return await resolve(name);
  } catch (error) {
    throw new EgressFailed(`${name} is not reached: it can't be looked up (${String(error)})`);
  }
}
