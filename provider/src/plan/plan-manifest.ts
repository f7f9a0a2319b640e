import type { ActualDeployment, Envelope } from "../network/snapshot";
import type { Plan } from "./plan";

/** The plan that takes a deployment from its manifest to another and changes nothing else. */
export function planManifest(
  actual: ActualDeployment,
  envelope: Pick<Envelope, "version">,
  entries: number,
  holders: readonly string[],
): Plan {
  const rent = Object.values(actual.infrastructures).reduce((sum, { lease }) => sum + (lease?.rate ?? 0n), 0n);
  return {
    steps: [
      ...(holders.length === 0 ? [] : [{ kind: "stage" as const, holders, version: envelope.version }]),
      {
        kind: "transaction",
        transaction: {
          kind: "update-deployment",
          deployment: { tenant: actual.tenant, sequence: actual.sequence },
          revision: actual.revision,
          infrastructures: {},
          removed: [],
          waitDuration: undefined,
          manifest: { version: envelope.version, entries },
          managers: undefined,
        },
      },
      { kind: "deliver", version: envelope.version },
    ],
    consequences: [],
    costNow: rent,
    costThen: rent,
  };
}
