import {
  type AccountSigner,
  AgentClient,
  type Datacenter,
  type DeploymentId,
  type ExchangeQueryClient,
  LeaseState,
  type StatementPurpose,
} from "@dcx/protocol";
import { CommandFailure } from "../output/failure";

/** The datacenters that hold an active lease of a deployment. Throws when there is none. */
export async function holdersOf(client: ExchangeQueryClient, id: DeploymentId): Promise<readonly Datacenter[]> {
  const answer = await client.deployment(id);
  const active = new Set(
    answer.leases.filter(({ state }) => state === LeaseState.ACTIVE).map(({ datacenter }) => datacenter),
  );
  const holders = answer.datacenters.filter(({ address }) => active.has(address));
  if (holders.length === 0) {
    throw new CommandFailure(
      `Deployment ${id.tenant}/${id.sequence} has no active lease, so nothing of it runs: see \`dcx leases\`.`,
    );
  }
  return holders;
}

/** A client of a holder's agent that asks as the tenant, for no more than the purpose says. */
export function agentOf(
  client: ExchangeQueryClient,
  holder: Datacenter,
  signer: AccountSigner,
  purpose: StatementPurpose = "manage",
): AgentClient {
  const roots = holder.roots.map(({ certificate }) => certificate);
  const target = { chainId: client.chainId, datacenter: holder.address, urls: holder.agentUrls, roots };
  return new AgentClient(target, { kind: "account", signer, purpose }, { proxy: process.env["DCX_AGENT_PROXY"] });
}
