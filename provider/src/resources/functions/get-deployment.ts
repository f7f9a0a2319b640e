import type { ValueMap } from "../../wire/value";
import { deploymentOutputs } from "../deployment/outputs";
import type { ProviderFunctionRules } from "./arguments";
import { deploymentArgument, deploymentField } from "./deployment-argument";

/** What a deployment is now, its version and revision included, which no output can hold. */
export const getDeployment: ProviderFunctionRules = {
  token: "dcx:index:getDeployment",
  fields: { deploymentId: deploymentField },
  async answer(session, args, { signal }): Promise<ValueMap> {
    const id = String(args["deploymentId"]);
    const key = await deploymentArgument(session, id, signal);
    const { deployment } = await session.existing(key, signal);
    return {
      ...deploymentOutputs(id, deployment, await session.parameters(signal)),
      version: deployment.version,
      revision: String(deployment.revision),
      manifestEntries: deployment.manifestEntries,
    };
  },
};
