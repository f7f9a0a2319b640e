import type { NetworkParameters } from "../../network/driver";
import { desiredManifest } from "../../plan/manifest";
import type { Desired } from "../../plan/plan";
import type { ValueMap } from "../../wire/value";
import { desiredInfrastructures, desiredManagers, desiredWait } from "../inputs/desired";
import type { SealedManifest } from "./inline-manifest";

/** What a deployment should be, from normal inputs whose terms are known. */
export function desiredState(
  inputs: ValueMap,
  sealed: SealedManifest | undefined,
  parameters: NetworkParameters,
): Desired {
  return {
    infrastructures: desiredInfrastructures(inputs, parameters),
    waitDuration: desiredWait(inputs, parameters),
    managers: desiredManagers(inputs, parameters),
    manifest: sealed === undefined ? undefined : desiredManifest(sealed.content, sealed.envelope.stamps),
  };
}
