import { WaitFailed } from "../../await/wait";
import type { DeploymentKey, NetworkParameters } from "../../network/driver";
import type { ActualDeployment, Envelope } from "../../network/snapshot";
import { emptyManifest, placedOn, sealManifest } from "../../plan/manifest";
import { undelivered } from "../../plan/plan-deployment";
import type { ValueMap } from "../../wire/value";
import { holdersOf } from "../current-manifest";
import { nameOf } from "../identity";
import { isMap } from "../inputs/shape";
import type { CallContext } from "../resource";
import type { Session } from "../session";
import { handToAll } from "./apply";
import { awaitDeployment } from "./await-deployment";
import type { SealedManifest } from "./inline-manifest";
import type { Operation } from "./operation";
import { deploymentOutputs, noPlaces, type Places, placesOutputs } from "./outputs";
import { existing } from "./preview-deployment";
import { readPlaces } from "./read-places";

/** Waits until what is declared serves, and returns the state. Throws what `awaitDeployment` does. */
export async function arriveDeployment(
  { session, id, key, inputs, context, deadline }: Operation,
  sealed: SealedManifest | undefined,
): Promise<ValueMap> {
  const { driver, settings } = session;
  const parameters = await driver.parameters(deadline.signal);
  if (settings.skipAwait || inputs["skipAwait"] === true) {
    const { deployment } = await existing(session, id, key, deadline.signal);
    const places =
      sealed === undefined ? noPlaces : await deliver(session, deployment, sealed, context, deadline.signal);
    return stateOf(id, inputs, deployment, sealed, places, parameters);
  }
  const empty = sealed === undefined ? await emptyManifestOf(session, id, key, deadline.signal) : undefined;
  const { snapshot, places, unserved } = await awaitDeployment(
    driver,
    key,
    {
      infrastructures: isMap(inputs["infrastructures"]) ? Object.keys(inputs["infrastructures"]) : [],
      manifest: sealed,
      empty,
      name: nameOf(context.urn),
    },
    deadline,
    (line) => context.status(line),
  );
  session.forget(key);
  for (const line of unserved) context.log("warning", line);
  if (snapshot.deployment === undefined) {
    throw new WaitFailed([`deployment ${id} is gone`]);
  }
  return stateOf(id, inputs, snapshot.deployment, sealed, places, parameters);
}

/** Hands a manifest to those who hold a lease already, for an update that awaits nothing; the next one does the rest. */
async function deliver(
  session: Session,
  actual: ActualDeployment,
  { envelope, content }: SealedManifest,
  { log }: CallContext,
  signal: AbortSignal,
): Promise<Places> {
  const key = { tenant: actual.tenant, sequence: actual.sequence };
  const late = undelivered(placedOn(content), envelope.version, actual);
  const holders = holdersOf({
    ...actual,
    infrastructures: Object.fromEntries(Object.entries(actual.infrastructures).filter(([name]) => late.includes(name))),
  });
  for (const problem of await handToAll(session.driver, key, holders, envelope, signal)) {
    if (problem !== undefined) {
      log("warning", `the manifest is not handed over yet: ${problem}`);
    }
  }
  return readPlaces(session, actual, content, undefined, signal);
}

/** What a lease that takes over has to be handed while nothing runs: no other holder has it. */
async function emptyManifestOf(
  session: Session,
  id: string,
  key: DeploymentKey,
  signal: AbortSignal,
): Promise<Envelope | undefined> {
  const { deployment } = await existing(session, id, key, signal);
  const salt = await session.driver.manifestSalt(deployment.clientToken, deployment.nonce, signal);
  const empty = sealManifest(emptyManifest(salt), {});
  return empty.version === deployment.version ? empty : undefined;
}

function stateOf(
  id: string,
  inputs: ValueMap,
  actual: ActualDeployment,
  sealed: SealedManifest | undefined,
  places: Places,
  parameters: NetworkParameters,
): ValueMap {
  return {
    ...inputs,
    ...deploymentOutputs(id, actual, parameters),
    ...(sealed === undefined ? {} : { version: sealed.envelope.version, ...placesOutputs(places) }),
  };
}
