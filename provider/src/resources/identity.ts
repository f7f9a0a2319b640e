import { IdentifierError, parseResourceId, type ResourceId } from "@dcx/protocol";
import { type DeploymentKey, NetworkError } from "../network/driver";
import type { Session } from "./session";

/** The id of a deployment; `throws` where it names something else. */
export function deploymentId(text: string): ResourceId {
  const id = parseResourceId(text);
  if (id.workload !== undefined || id.connection !== undefined) {
    throw new IdentifierError("deployment id", text, "it names an entry of a deployment");
  }
  return id;
}

export function keyOf(id: ResourceId): DeploymentKey {
  return { tenant: id.tenant, sequence: id.sequence };
}

/** The resource's own name: the last part of its URN. */
export function nameOf(urn: string): string {
  return urn.split("::").at(-1) ?? urn;
}

/**
 * Whether what this id names can be there. `gone`: its chain is proven to be no more.
 * @throws {NetworkError} where the configured network is another one: that says nothing about what the id names
 */
export async function whereabouts(session: Session, id: ResourceId, signal: AbortSignal): Promise<"here" | "gone"> {
  const relation = await session.driver.relation(id.chain, signal);
  if (relation === "gone") {
    return "gone";
  }
  if (relation === "same") {
    return "here";
  }
  const identity = await session.identify(signal);
  const other = identity === undefined ? "there is no network" : `the configured network is ${identity.chain}`;
  throw new NetworkError(
    "invalid",
    `This resource is on chain ${id.chain}, and ${other}. Configure the network that it was made on; ` +
      "nothing was changed.",
  );
}
