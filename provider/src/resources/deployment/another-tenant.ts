import type { ActualDeployment } from "../../network/snapshot";
import type { Session } from "../session";

/** Whether the configured account may change a deployment at all: it is its tenant, or one of its managers. */
export async function mayChange(session: Session, actual: ActualDeployment, signal: AbortSignal): Promise<boolean> {
  const tenant = (await session.identify(signal))?.tenant;
  return tenant === undefined || tenant === actual.tenant || actual.managers.some(({ address }) => address === tenant);
}

/** Why another account can't change a deployment, and what there is to do. */
export function anothersDeployment(id: string, actual: ActualDeployment, configured: string): string {
  return (
    `deployment ${id} is ${actual.tenant}'s, and the configured account is ${configured}. To keep it, configure the ` +
    `signer of ${actual.tenant}, or have ${configured} made a manager of it. A new one takes its place only as far as ` +
    `${configured} goes: ${actual.tenant} has to end the old one, with \`pulumi destroy\` under its own signer, or by ` +
    "a `pulumi state delete` that leaves it running."
  );
}
