import { resourceIdText } from "@dcx/protocol";
import { type DeploymentKey, NetworkError, type NetworkIdentity, type RecordsOf } from "../../network/driver";
import type { ValueMap } from "../../wire/value";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { anyText, type Field, text } from "../inputs/shape";
import type { Session } from "../session";

const id = text((value) => {
  deploymentId(value);
  return value;
});

/** `deploymentId`, which some functions need. */
export const deploymentField: Field = { shape: id, required: true };

/** Which records: of one deployment, or of an account's, by default the signer's. */
export const recordsFields: Readonly<Record<string, Field>> = {
  deploymentId: { shape: id },
  tenant: { shape: anyText },
};

export function onlyOne(args: ValueMap): string | undefined {
  return args["deploymentId"] !== undefined && args["tenant"] !== undefined
    ? "deploymentId/tenant: name one of them, not both: a deployment's id holds its tenant"
    : undefined;
}

/** @throws {NetworkError} where the id is of another chain, or of one that is gone */
export async function deploymentArgument(session: Session, given: string, signal: AbortSignal): Promise<DeploymentKey> {
  const parsed = deploymentId(given);
  if ((await whereabouts(session, parsed, signal)) === "gone") {
    throw new NetworkError(
      "refused",
      `deployment ${given} is gone: its network was reset. \`pulumi refresh\` records that, and \`pulumi up\` makes a new one.`,
    );
  }
  return keyOf(parsed);
}

export async function recordsArgument(session: Session, args: ValueMap, signal: AbortSignal): Promise<RecordsOf> {
  const { deploymentId: given, tenant } = args;
  if (typeof given === "string") {
    return deploymentArgument(session, given, signal);
  }
  return { tenant: typeof tenant === "string" ? tenant : (await presentIdentity(session, signal)).tenant };
}

/** @throws {NetworkError} where there is no network yet */
export async function presentIdentity(session: Session, signal: AbortSignal): Promise<NetworkIdentity> {
  const identity = await session.identify(signal);
  if (identity === undefined) {
    throw new NetworkError(
      "unreachable",
      "There is no embedded network yet that could be asked. `dcx network start` starts one, and so does the first " +
        "`pulumi up` that creates something.",
    );
  }
  return identity;
}

export function idOf(chain: string, { tenant, sequence }: DeploymentKey): string {
  return resourceIdText({ chain, tenant, sequence });
}
