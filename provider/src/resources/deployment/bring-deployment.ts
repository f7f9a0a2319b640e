import { RevisionConflict } from "../../network/driver";
import type { ActualDeployment } from "../../network/snapshot";
import { planUpdate } from "../../plan/plan-deployment";
import { planTakeOver } from "../../plan/plan-take-over";
import type { ValueMap } from "../../wire/value";
import { findManifest, holdersOf } from "../current-manifest";
import type { CallContext } from "../resource";
import type { Session } from "../session";
import { applyPlan, handToAll } from "./apply";
import { arriveDeployment } from "./arrive-deployment";
import { somebodyElseChanged, touchedUnchanged } from "./conflict";
import { desiredState } from "./desired-state";
import { inlineManifest, isInline, type SealedManifest } from "./inline-manifest";
import type { Operation } from "./operation";
import { existing } from "./preview-deployment";
import { claimInline, type Declarer, type InlineClaim } from "./take-over";

/** Times that an update which lost to another one is sent again. */
const MOST_CONFLICTS = 10;

/**
 * The ordinary way from whatever is there to what is declared.
 *
 * @param sent is told when a transaction has been
 * @throws where somebody else changed what it is to change, and whatever `arriveDeployment` throws
 */
export async function bringDeployment(
  operation: Operation,
  sent: { transaction: boolean } = { transaction: false },
  oldState?: ValueMap,
): Promise<ValueMap> {
  const { session, id, key, inputs, context, deadline } = operation;
  const { driver, turns } = session;
  const parameters = await driver.parameters(deadline.signal);
  const sealed = await turns.take(id, deadline.signal, async () => {
    let snapshot = await existing(session, id, key, deadline.signal);
    for (let attempt = 1; ; attempt++) {
      const { deployment } = snapshot;
      const salt = await driver.manifestSalt(deployment.clientToken, deployment.nonce, deadline.signal);
      const manifest = await sealedManifest(session, inputs, salt, context, deadline.signal);
      const plan = planUpdate(desiredState(inputs, manifest, parameters), snapshot);
      // What the diff of this run saw is what its changes are to be made to.
      const compared = session.compared.get(context.urn);
      if (compared !== undefined && !touchedUnchanged(plan, compared, deployment)) {
        const configured = (await session.identify(deadline.signal))?.tenant;
        throw somebodyElseChanged(id, compared, deployment, parameters, configured);
      }
      const declarer = { id, urn: context.urn, state: oldState };
      const claimed = await claimEntries(session, declarer, deployment, manifest, context, deadline.signal);
      sent.transaction ||= claimed === "takes-over";
      try {
        const result = await applyPlan(
          driver,
          plan,
          manifest?.envelope,
          (line) => context.status(line),
          deadline.signal,
        );
        session.forget(key);
        session.compared.delete(context.urn);
        sent.transaction ||= result !== undefined;
        return manifest;
      } catch (error) {
        if (!(error instanceof RevisionConflict) || attempt >= MOST_CONFLICTS) {
          throw error;
        }
        const now = await existing(session, id, key, deadline.signal);
        if (!touchedUnchanged(plan, snapshot.deployment, now.deployment)) {
          const configured = (await session.identify(deadline.signal))?.tenant;
          throw somebodyElseChanged(id, snapshot.deployment, now.deployment, parameters, configured);
        }
        snapshot = now;
      }
    }
  });
  return arriveDeployment(operation, sealed);
}

/**
 * Makes sure that nobody else still declares an entry, and takes over what others of this stack have declared, or
 * what was imported from another one: by stamps, and by the incarnation. That stops and starts nothing.
 */
async function claimEntries(
  session: Session,
  declarer: Declarer,
  actual: ActualDeployment,
  manifest: SealedManifest | undefined,
  context: CallContext,
  signal: AbortSignal,
): Promise<InlineClaim> {
  const { driver } = session;
  session.declarations.deployment(declarer.id, declarer.urn, manifest !== undefined);
  const found = manifest === undefined ? undefined : await findManifest(session, actual, signal);
  if (manifest === undefined || found?.kind !== "found") {
    return "own";
  }
  const { stamps, version } = found.envelope;
  const claim = await claimInline(session, declarer, actual, stamps, signal);
  if (claim === "takes-over") {
    const status = (line: string): void => context.status(line);
    const result = await applyPlan(driver, planTakeOver(actual), undefined, status, signal);
    session.met(declarer.urn, declarer.id, result?.submitted?.incarnation ?? actual.incarnation);
  }
  const owner = await session.owner(declarer.urn, signal);
  const others = Object.keys(manifest.envelope.stamps).some((entry) => stamps[entry]?.owner !== owner);
  if (version === manifest.envelope.version && others) {
    const key = { tenant: actual.tenant, sequence: actual.sequence };
    await handToAll(driver, key, holdersOf(actual), manifest.envelope, signal);
    session.remember(manifest.envelope);
  }
  return claim;
}

/** The manifest of what is declared inline. */
export async function sealedManifest(
  session: Session,
  inputs: ValueMap,
  salt: string,
  context: CallContext,
  signal: AbortSignal,
): Promise<SealedManifest | undefined> {
  return isInline(inputs) ? inlineManifest(inputs, salt, await session.owner(context.urn, signal)) : undefined;
}
