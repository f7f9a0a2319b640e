import { type Deployment, DeploymentId, DeploymentState, ExchangeErrorCode, TimerKind } from "@dcx/protocol";
import { encode } from "../encode";
import type { TransitionContext } from "./context";
import { ExchangeError } from "./errors";
import { bytesKey, deploymentKey, describeDeployment, readUint64, tables, textKey, uint64Key } from "./keys";
import { deployments, findDeployment, getParameters, present } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { setTimer } from "./timers";
import { adjustTotals } from "./totals";

const mark = Uint8Array.of(1);

export function idOf(deployment: Deployment): DeploymentId {
  return present(deployment.id, "id of a deployment");
}

function tokenKey(tenant: string, token: Uint8Array): string {
  return tables.clientToken + textKey(tenant) + bytesKey(token);
}

/** The active deployment of a tenant with that client token. PERF: one read. */
export function tokenHolder(store: KeyValueReader, tenant: string, token: Uint8Array): DeploymentId | undefined {
  const bytes = store.get(tokenKey(tenant, token));
  return bytes === undefined ? undefined : DeploymentId.decode(bytes);
}

/** Counts a tenant's deployments from 1; no sequence is used twice. */
export function nextDeploymentSequence(store: KeyValueStore, tenant: string): bigint {
  const key = tables.deploymentCounter + textKey(tenant);
  const bytes = store.get(key);
  const next = bytes === undefined ? 1n : readUint64(bytesKey(bytes), 0) + 1n;
  store.set(key, Buffer.from(uint64Key(next), "latin1"));
  return next;
}

/** Enters a new active deployment, without orders. */
export function enterDeployment(store: KeyValueStore, deployment: Deployment): void {
  const id = idOf(deployment);
  deployments.put(store, id, deployment);
  store.set(tokenKey(id.tenant, deployment.clientToken), encode(DeploymentId, id));
  store.set(tables.activeDeployment + deploymentKey(id), mark);
  adjustTotals(store, { activeDeployments: 1n });
}

/** Active → cancelled: its token is free again, and the record goes after closed-retention blocks. */
export function leaveDeployment(store: KeyValueStore, context: TransitionContext, deployment: Deployment): Deployment {
  const id = idOf(deployment);
  const cancelled = { ...deployment, state: DeploymentState.CANCELLED, closedHeight: context.height };
  deployments.put(store, id, cancelled);
  store.delete(tokenKey(id.tenant, deployment.clientToken));
  store.delete(tables.activeDeployment + deploymentKey(id));
  setTimer(store, context.height + getParameters(store).closedRetention, {
    kind: TimerKind.PRUNE_DEPLOYMENT,
    subject: { ...id, infrastructure: "", generation: 0 },
    datacenter: "",
  });
  adjustTotals(store, { activeDeployments: -1n });
  return cancelled;
}

/** @throws ExchangeError DeploymentNotFound, DeploymentNotActive */
export function findActiveDeployment(store: KeyValueReader, id: DeploymentId): Deployment {
  const deployment = findDeployment(store, id);
  if (deployment.state !== DeploymentState.ACTIVE)
    throw new ExchangeError(
      ExchangeErrorCode.DeploymentNotActive,
      `deployment ${describeDeployment(id)} was cancelled at block ${deployment.closedHeight}`,
    );
  return deployment;
}
