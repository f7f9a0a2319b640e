import {
  type Deployment,
  type DeploymentId,
  DeploymentState,
  type MsgSubmitDeployment,
  type MsgSubmitDeploymentResponse,
} from "@dcx/protocol";
import type { TransactionContext } from "../context";
import { enterDeployment, nextDeploymentSequence, tokenHolder } from "../deployments";
import { deploymentChanged } from "../events";
import { openOrderOf } from "../orders";
import { deployments, getParameters } from "../records";
import type { KeyValueStore } from "../store";
import { checkAddress, checkBytes, checkedInfrastructures, checkManagers, checkWait } from "../validation";

/**
 * A tenant deploys: an order opens for each infrastructure. With the client token of an active deployment of this
 * tenant nothing is created and every other field ignored: that one's incarnation rises, and its id is the answer.
 *
 * specification: "SubmitDeployment"; design: "Transactions", "Nothing is orphaned".
 * @throws ExchangeError InvalidMessage, InvalidAddress, LimitExceeded
 *
 * PERF: O(infrastructures) orders; the deployment's record is written once.
 */
export function submitDeployment(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgSubmitDeployment,
): MsgSubmitDeploymentResponse {
  checkAddress(state, message.tenant, "tenant");
  checkBytes(message.clientToken, 32, "client_token");
  const holder = tokenHolder(state, message.tenant, message.clientToken);
  if (holder !== undefined) {
    const existing = deployments.need(state, holder);
    const adopted = { ...existing, incarnation: existing.incarnation + 1n };
    deployments.put(state, holder, adopted);
    context.events.emit(deploymentChanged(adopted, message.tenant));
    return { id: holder, incarnation: adopted.incarnation, revision: adopted.revision, existed: true };
  }

  const parameters = getParameters(state);
  checkBytes(message.version, 32, "version");
  checkBytes(message.nonce, 32, "nonce");
  checkWait(parameters, message.waitDuration);
  checkManagers(state, parameters, message.managers);
  const infrastructures = checkedInfrastructures(state, parameters, message.infrastructures);

  const id: DeploymentId = { tenant: message.tenant, sequence: nextDeploymentSequence(state, message.tenant) };
  const deployment: Deployment = {
    id,
    state: DeploymentState.ACTIVE,
    infrastructures: infrastructures.map((terms) => ({ terms, declaredBy: message.tenant, generation: 0 })),
    waitDuration: message.waitDuration,
    version: message.version,
    manifestEntries: message.manifestEntries,
    revision: 1n,
    clientToken: message.clientToken,
    nonce: message.nonce,
    incarnation: 1n,
    managers: message.managers,
    createdHeight: context.height,
    closedHeight: 0n,
    lastChange: { by: message.tenant, transaction: context.hash, height: context.height },
  };
  context.events.emit(deploymentChanged(deployment, message.tenant));
  enterDeployment(
    state,
    infrastructures.reduce((entered, { name }) => openOrderOf(state, context, entered, name), deployment),
  );
  return { id, incarnation: 1n, revision: 1n, existed: false };
}
