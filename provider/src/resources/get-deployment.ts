import type { ValueMap } from "../wire/value";
import { deploymentOutputs } from "./deployment/outputs";
import { deploymentId, keyOf, whereabouts } from "./identity";
import type { CallContext } from "./resource";
import type { Session } from "./session";

/** `dcx:index:getDeployment`: what a deployment is now, its version and revision included, which no output can hold. */
export async function getDeployment(session: Session, args: ValueMap, context: CallContext): Promise<ValueMap> {
  const given = args["deploymentId"] ?? args["id"];
  if (typeof given !== "string") {
    throw new Error("getDeployment needs the id of a deployment: <chain>/<tenant>/<sequence>");
  }
  const id = deploymentId(given);
  if ((await whereabouts(session, id, context.signal)) === "gone") {
    throw new Error(`deployment ${given} is gone: its network was reset`);
  }
  const { deployment } = await session.existing(keyOf(id), context.signal);
  return {
    ...deploymentOutputs(given, deployment, await session.parameters(context.signal)),
    version: deployment.version,
    revision: String(deployment.revision),
    manifestEntries: deployment.manifestEntries,
  };
}
