import type { ActualDeployment } from "../network/snapshot";
import type { Plan } from "./plan";

/**
 * The plan that raises a deployment's incarnation, so that whoever has declared it until now sees on the chain that
 * somebody else does. Its submission has the token of the deployment and no version: it can raise, but should the
 * deployment have ended meanwhile, it makes none.
 */
export function planTakeOver(actual: ActualDeployment): Plan {
  const rent = Object.values(actual.infrastructures).reduce((sum, { lease }) => sum + (lease?.rate ?? 0n), 0n);
  return {
    steps: [
      {
        kind: "transaction",
        transaction: {
          kind: "submit-deployment",
          infrastructures: {},
          waitDuration: 0n,
          version: "",
          manifestEntries: 0,
          nonce: "",
          clientToken: actual.clientToken,
          managers: [],
        },
      },
    ],
    consequences: [],
    costNow: rent,
    costThen: rent,
  };
}
