import {
  CloseReason,
  ExchangeErrorCode,
  type MsgCancelDeployment,
  type MsgCancelDeploymentResponse,
} from "@dcx/protocol";
import type { TransactionContext } from "../context";
import { findActiveDeployment, leaveDeployment } from "../deployments";
import { ExchangeError } from "../errors";
import { deploymentChanged } from "../events";
import { describeDeployment } from "../keys";
import { deployments } from "../records";
import type { KeyValueStore } from "../store";
import { closeEverything } from "../succession";
import { checkAddress, checkDeploymentId } from "../validation";

/**
 * A tenant cancels: orders close, leases settle and close, collateral and deposits return. It names the incarnation,
 * so that a late cancellation of a deployment that somebody has adopted since changes nothing.
 *
 * specification: "CancelDeployment"; design: "Transactions".
 * @throws ExchangeError Unauthorized, IncarnationMismatch, DeploymentNotFound, DeploymentNotActive
 *
 * PERF: O(infrastructures + fulfillments of their open orders).
 */
export function cancelDeployment(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgCancelDeployment,
): MsgCancelDeploymentResponse {
  checkAddress(state, message.tenant, "tenant");
  const id = checkDeploymentId(message.id);
  const deployment = findActiveDeployment(state, id);
  if (message.tenant !== id.tenant)
    throw new ExchangeError(
      ExchangeErrorCode.Unauthorized,
      `only its tenant may cancel deployment ${describeDeployment(id)}`,
    );
  if (message.incarnation !== deployment.incarnation)
    throw new ExchangeError(
      ExchangeErrorCode.IncarnationMismatch,
      `deployment ${describeDeployment(id)} is in incarnation ${deployment.incarnation}, not ${message.incarnation}: it was adopted since`,
    );
  for (const { terms } of deployment.infrastructures)
    if (terms !== undefined)
      closeEverything(state, context, { deployment: id, name: terms.name }, CloseReason.CANCELLED, message.tenant);
  const cancelled = leaveDeployment(state, context, deployments.need(state, id));
  context.events.emit(deploymentChanged(cancelled, message.tenant));
  return {};
}
