import type { DeploymentId, ExchangeQueryClient } from "@dcx/protocol";
import { DeploymentState } from "@dcx/protocol";
import { CommandFailure } from "../output/failure";

/**
 * Which deployment a person means: `<chain>/<tenant>/<sequence>` (the Pulumi id), `<tenant>/<sequence>`, the sequence
 * alone, or nothing where the tenant has just one.
 */
export async function findDeployment(
  client: ExchangeQueryClient,
  tenantOf: () => Promise<string | undefined>,
  text: string | undefined,
): Promise<DeploymentId> {
  if (text !== undefined && text !== "") {
    const parts = text.split("/");
    const sequence = parts.pop() ?? "";
    const owner = parts.pop() ?? (await tenantOf());
    const chain = parts.pop();
    if (chain !== undefined && chain !== client.chainId) {
      throw new CommandFailure(`${text} is on chain ${chain}, and this is ${client.chainId}.`);
    }
    if (owner === undefined || !/^[1-9][0-9]{0,18}$/.test(sequence)) {
      throw new CommandFailure(
        `"${text}" names no deployment: write <tenant>/<sequence>, or the sequence alone for one of your own.`,
        2,
      );
    }
    return { tenant: owner, sequence: BigInt(sequence) };
  }
  const tenant = await tenantOf();
  if (tenant === undefined) {
    throw new CommandFailure("Say which deployment: <tenant>/<sequence>.", 2);
  }
  const { deployments } = await client.deployments({ tenant, state: DeploymentState.ACTIVE });
  const [only, ...others] = deployments.flatMap(({ id }) => (id === undefined ? [] : [id]));
  if (only === undefined) {
    throw new CommandFailure(`${tenant} has no active deployment.`);
  }
  if (others.length > 0) {
    const ids = [only, ...others].map(({ sequence }) => sequence).join(", ");
    throw new CommandFailure(`${tenant} has several active deployments (${ids}): say which.`, 2);
  }
  return only;
}
