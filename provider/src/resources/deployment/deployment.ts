import { randomBytes } from "node:crypto";
import { resourceIdText } from "@dcx/protocol";
import { Deadline, spanText, WaitCancelled, WaitFailed, WaitTimeout } from "../../await/wait";
import type { DeploymentKey, NetworkParameters } from "../../network/driver";
import { NetworkError, type NetworkIdentity, RevisionConflict } from "../../network/driver";
import type { ActualDeployment, Envelope } from "../../network/snapshot";
import { emptyManifest, placedOn, sealManifest } from "../../plan/manifest";
import { planCreation, planDeletion, planUpdate, undelivered } from "../../plan/plan-deployment";
import { planTakeOver } from "../../plan/plan-take-over";
import type { ValueMap } from "../../wire/value";
import { findManifest, holdersOf } from "../current-manifest";
import { NONCE } from "../entries/ownership";
import { deploymentId, keyOf, nameOf, whereabouts } from "../identity";
import { isMap } from "../inputs/shape";
import {
  type CallContext,
  type CheckRequest,
  type CheckResult,
  type CreateRequest,
  type CreateResult,
  type DeleteRequest,
  type DiffRequest,
  type DiffResult,
  type ListPage,
  type ListRequest,
  PartialFailure,
  type ReadRequest,
  type ReadResult,
  type Resource,
  type UpdateRequest,
  type UpdateResult,
} from "../resource";
import type { Session } from "../session";
import { anothersDeployment } from "./another-tenant";
import { applyPlan, handToAll } from "./apply";
import { awaitDeployment } from "./await-deployment";
import { checkDeployment } from "./check-deployment";
import { somebodyElseChanged, touchedUnchanged } from "./conflict";
import { desiredState } from "./desired-state";
import { diffDeployment } from "./diff-deployment";
import { inlineManifest, isInline, type SealedManifest } from "./inline-manifest";
import { listDeployments } from "./list-deployments";
import { deploymentOutputs } from "./outputs";
import { existing, previewCreation, previewUpdate } from "./preview-deployment";
import { readAddresses } from "./read-addresses";
import { readDeployment } from "./read-deployment";
import { claimInline, type Declarer, type InlineClaim, importedNonce, takenOver, takenOverText } from "./take-over";
import { awaitTeardown } from "./teardown";
import { whyNoLease } from "./why-no-lease";

/** Times that an update which lost to another one is sent again. */
const MOST_CONFLICTS = 10;

/** `dcx:index:Deployment`: capacity wanted, at what price, and, inline, what runs on it. */
export class DeploymentResource implements Resource {
  readonly token = "dcx:index:Deployment";

  constructor(readonly session: Session) {}

  check(request: CheckRequest, context: CallContext): Promise<CheckResult> {
    return checkDeployment(this.session, request, context);
  }

  diff(request: DiffRequest, context: CallContext): Promise<DiffResult> {
    this.#recorded(request.id, request.oldState, context);
    return diffDeployment(this.session, request, context);
  }

  read(request: ReadRequest, context: CallContext): Promise<ReadResult> {
    this.#recorded(request.id, request.state ?? {}, context);
    return readDeployment(this.session, request, context);
  }

  list(request: ListRequest, context: CallContext): Promise<ListPage> {
    return listDeployments(this.session, request, context);
  }

  async create(request: CreateRequest, context: CallContext): Promise<CreateResult> {
    if (request.preview) {
      return previewCreation(this.session, request, context);
    }
    using deadline = new Deadline(context.signal, request.timeout, this.session.timeoutOf("create"));
    using _presence = this.session.activity.begin();
    const { driver } = this.session;
    const identity = await driver.ensure((line) => context.status(line), deadline.signal);
    announce(identity, context);
    const parameters = await driver.parameters(deadline.signal);
    const clientToken = await driver.clientToken(context.urn, this.session.settings.namespace, deadline.signal);
    const nonce = randomBytes(32).toString("hex");
    const salt = await driver.manifestSalt(clientToken, nonce, deadline.signal);
    const sealed = await this.#sealed(request.inputs, salt, context, deadline.signal);
    const desired = desiredState(request.inputs, sealed, parameters);
    const emptyVersion = sealManifest(emptyManifest(salt), {}).version;
    const plan = planCreation(desired, { clientToken, nonce, emptyVersion });
    const result = await applyPlan(driver, plan, sealed?.envelope, (line) => context.status(line), deadline.signal);
    if (result?.submitted === undefined) {
      throw new Error(`transaction ${result?.hash ?? ""} made no deployment; please report this to dcx's authors`);
    }
    const { deployment, incarnation, existed } = result.submitted;
    const id = resourceIdText({ chain: identity.chain, ...deployment });
    this.session.met(context.urn, id, incarnation);
    // From here on it exists: whatever fails keeps the id, so that nothing that is paid for is forgotten.
    try {
      if (!existed) {
        return { id, state: await this.#arrive(id, deployment, request.inputs, sealed, context, deadline) };
      }
      context.log("info", `deployment ${id} was made by an earlier run that did not record it: taking it over`);
      return { id, state: await this.#bring(id, deployment, request.inputs, context, deadline) };
    } catch (error) {
      throw await this.#partial(error, id, deployment, request.inputs, deadline);
    }
  }

  async update(request: UpdateRequest, context: CallContext): Promise<UpdateResult> {
    const id = deploymentId(request.id);
    if (request.preview) {
      return { state: await previewUpdate(this.session, request, context) };
    }
    using deadline = new Deadline(context.signal, request.timeout, this.session.timeoutOf("update"));
    using _presence = this.session.activity.begin();
    await whereabouts(this.session, id, deadline.signal);
    const sent = { transaction: false };
    try {
      const { oldState } = request;
      return { state: await this.#bring(request.id, keyOf(id), request.inputs, context, deadline, sent, oldState) };
    } catch (error) {
      // Before a transaction nothing has changed: the old inputs are still what is there.
      throw sent.transaction || isWait(error)
        ? await this.#partial(error, request.id, keyOf(id), request.inputs, deadline, request.oldState)
        : error;
    }
  }

  async delete(request: DeleteRequest, context: CallContext): Promise<void> {
    const id = deploymentId(request.id);
    using deadline = new Deadline(context.signal, request.timeout, this.session.timeoutOf("delete"));
    using _presence = this.session.activity.begin();
    if ((await whereabouts(this.session, id, deadline.signal)) === "gone") {
      return;
    }
    const { driver } = this.session;
    const { deployment: actual } = await driver.snapshot(keyOf(id), deadline.signal);
    if (actual === undefined || !actual.active) {
      return;
    }
    const known = BigInt(typeof request.oldState["incarnation"] === "string" ? request.oldState["incarnation"] : "0");
    if (actual.incarnation > known && this.session.hasNewer(context.urn, request.id, known)) {
      // Its successor under the same URN took it over in this very run.
      return;
    }
    const identity = await this.session.identify(deadline.signal);
    if (identity !== undefined && identity.tenant !== actual.tenant) {
      throw new NetworkError("refused", anothersDeployment(request.id, actual, identity.tenant));
    }
    const declarer = { id: request.id, urn: context.urn, state: request.oldState };
    if (isInline(request.oldInputs) && (await takenOver(this.session, declarer, actual, deadline.signal))) {
      context.log("warning", `left as it is: ${takenOverText(declarer, actual)}`);
      return;
    }
    // A newer incarnation that neither this process has met nor another stack has was never recorded: it goes too.
    await this.session.turns.take(request.id, deadline.signal, () =>
      applyPlan(
        driver,
        planDeletion(actual, actual.incarnation),
        undefined,
        (line) => context.status(line),
        deadline.signal,
      ),
    );
    this.session.forget(keyOf(id));
    await awaitTeardown(driver, keyOf(id), actual, context, deadline);
  }

  /**
   * Which incarnation a state knows. A run that ended between a replacement and the delete of what it replaced leaves
   * both in the state, and the next run's delete must not end what is recorded.
   */
  #recorded(id: string, { incarnation }: ValueMap, { urn }: CallContext): void {
    if (typeof incarnation === "string" && /^\d+$/.test(incarnation)) {
      this.session.met(urn, id, BigInt(incarnation));
    }
  }

  /** The ordinary way from whatever is there to what is declared. */
  async #bring(
    id: string,
    key: DeploymentKey,
    inputs: ValueMap,
    context: CallContext,
    deadline: Deadline,
    sent: { transaction: boolean } = { transaction: false },
    oldState?: ValueMap,
  ): Promise<ValueMap> {
    const { driver, turns } = this.session;
    const parameters = await driver.parameters(deadline.signal);
    const sealed = await turns.take(id, deadline.signal, async () => {
      let snapshot = await existing(this.session, id, key, deadline.signal);
      for (let attempt = 1; ; attempt++) {
        const { deployment } = snapshot;
        const salt = await driver.manifestSalt(deployment.clientToken, deployment.nonce, deadline.signal);
        const manifest = await this.#sealed(inputs, salt, context, deadline.signal);
        const plan = planUpdate(desiredState(inputs, manifest, parameters), snapshot);
        // What the diff of this run saw is what its changes are to be made to.
        const compared = this.session.compared.get(context.urn);
        if (compared !== undefined && !touchedUnchanged(plan, compared, deployment)) {
          const configured = (await this.session.identify(deadline.signal))?.tenant;
          throw somebodyElseChanged(id, compared, deployment, parameters, configured);
        }
        const declarer = { id, urn: context.urn, state: oldState };
        const claimed = await this.#claim(declarer, deployment, manifest, context, deadline.signal);
        sent.transaction ||= claimed === "takes-over";
        try {
          const result = await applyPlan(
            driver,
            plan,
            manifest?.envelope,
            (line) => context.status(line),
            deadline.signal,
          );
          this.session.forget(key);
          this.session.compared.delete(context.urn);
          sent.transaction ||= result !== undefined;
          return manifest;
        } catch (error) {
          if (!(error instanceof RevisionConflict) || attempt >= MOST_CONFLICTS) {
            throw error;
          }
          const now = await existing(this.session, id, key, deadline.signal);
          if (!touchedUnchanged(plan, snapshot.deployment, now.deployment)) {
            const configured = (await this.session.identify(deadline.signal))?.tenant;
            throw somebodyElseChanged(id, snapshot.deployment, now.deployment, parameters, configured);
          }
          snapshot = now;
        }
      }
    });
    return this.#arrive(id, key, inputs, sealed, context, deadline);
  }

  /**
   * Makes sure that nobody else still declares an entry, and takes over what others of this stack have declared, or
   * what was imported from another one: by stamps, and by the incarnation. That stops and starts nothing.
   */
  async #claim(
    declarer: Declarer,
    actual: ActualDeployment,
    manifest: SealedManifest | undefined,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<InlineClaim> {
    const { driver } = this.session;
    this.session.declarations.deployment(declarer.id, declarer.urn, manifest !== undefined);
    const found = manifest === undefined ? undefined : await findManifest(this.session, actual, signal);
    if (manifest === undefined || found?.kind !== "found") {
      return "own";
    }
    const { stamps, version } = found.envelope;
    const claim = await claimInline(this.session, declarer, actual, stamps, signal);
    if (claim === "takes-over") {
      const status = (line: string): void => context.status(line);
      const result = await applyPlan(driver, planTakeOver(actual), undefined, status, signal);
      this.session.met(declarer.urn, declarer.id, result?.submitted?.incarnation ?? actual.incarnation);
    }
    const owner = await this.session.owner(declarer.urn, signal);
    const others = Object.keys(manifest.envelope.stamps).some((entry) => stamps[entry]?.owner !== owner);
    if (version === manifest.envelope.version && others) {
      const key = { tenant: actual.tenant, sequence: actual.sequence };
      await handToAll(driver, key, holdersOf(actual), manifest.envelope, signal);
      this.session.remember(manifest.envelope);
    }
    return claim;
  }

  async #arrive(
    id: string,
    key: DeploymentKey,
    inputs: ValueMap,
    sealed: SealedManifest | undefined,
    context: CallContext,
    deadline: Deadline,
  ): Promise<ValueMap> {
    const { driver, settings } = this.session;
    const parameters = await driver.parameters(deadline.signal);
    if (settings.skipAwait || inputs["skipAwait"] === true) {
      const { deployment } = await existing(this.session, id, key, deadline.signal);
      const addresses = sealed === undefined ? {} : await this.#deliver(deployment, sealed, context, deadline.signal);
      return this.#state(id, inputs, deployment, sealed, addresses, parameters);
    }
    const empty = sealed === undefined ? await this.#emptyManifest(id, key, deadline.signal) : undefined;
    const { snapshot, addresses, unserved } = await awaitDeployment(
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
    this.session.forget(key);
    for (const line of unserved) context.log("warning", line);
    if (snapshot.deployment === undefined) {
      throw new WaitFailed([`deployment ${id} is gone`]);
    }
    return this.#state(id, inputs, snapshot.deployment, sealed, addresses, parameters);
  }

  /** Hands a manifest to those who hold a lease already, for an update that awaits nothing; the next one does the rest. */
  async #deliver(
    actual: ActualDeployment,
    { envelope, content }: SealedManifest,
    { log }: CallContext,
    signal: AbortSignal,
  ): Promise<ValueMap> {
    const key = { tenant: actual.tenant, sequence: actual.sequence };
    const late = undelivered(placedOn(content), envelope.version, actual);
    const holders = holdersOf({
      ...actual,
      infrastructures: Object.fromEntries(
        Object.entries(actual.infrastructures).filter(([name]) => late.includes(name)),
      ),
    });
    for (const problem of await handToAll(this.session.driver, key, holders, envelope, signal)) {
      if (problem !== undefined) {
        log("warning", `the manifest is not handed over yet: ${problem}`);
      }
    }
    return readAddresses(this.session, actual, content, undefined, signal);
  }

  /** What a lease that takes over has to be handed while nothing runs: no other holder has it. */
  async #emptyManifest(id: string, key: DeploymentKey, signal: AbortSignal): Promise<Envelope | undefined> {
    const { deployment } = await existing(this.session, id, key, signal);
    const salt = await this.session.driver.manifestSalt(deployment.clientToken, deployment.nonce, signal);
    const empty = sealManifest(emptyManifest(salt), {});
    return empty.version === deployment.version ? empty : undefined;
  }

  #state(
    id: string,
    inputs: ValueMap,
    actual: ActualDeployment,
    sealed: SealedManifest | undefined,
    addresses: ValueMap,
    parameters: NetworkParameters,
  ): ValueMap {
    return {
      ...inputs,
      ...deploymentOutputs(id, actual, parameters),
      ...(sealed === undefined ? {} : { version: sealed.envelope.version, addresses }),
    };
  }

  /** What exists though the call failed: with its id and reasons, so that the next `up` goes on from there. */
  async #partial(
    error: unknown,
    id: string,
    key: DeploymentKey,
    inputs: ValueMap,
    deadline: Deadline,
    oldState?: ValueMap,
  ): Promise<PartialFailure> {
    const reasons: string[] = [];
    const after = spanText(deadline.milliseconds);
    if (error instanceof WaitTimeout) {
      const unfilled = await whyNoLease(this.session.driver, key, id, after).catch(() => []);
      const others = unfilled.length > 0 ? error.reasons.filter((one) => !/has bid|answered/.test(one)) : error.reasons;
      reasons.push(
        ...unfilled,
        ...others.map((one) => (unfilled.length > 0 ? one : `not done after ${after}: ${one}`)),
      );
    } else if (error instanceof WaitCancelled) {
      reasons.push("cancelled; `pulumi up` goes on from here", ...error.reasons);
    } else if (error instanceof WaitFailed) {
      reasons.push(...error.reasons.map((one) => `${one}. \`pulumi up\` opens a new order where one is missing.`));
    } else {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
    const nonce = importedNonce(oldState);
    // An import that could not be taken over yet is one still.
    const kept = nonce === undefined ? {} : { [NONCE]: nonce };
    return new PartialFailure(id, { ...(await this.#partialState(id, key, inputs)), ...kept }, reasons, inputs);
  }

  async #partialState(id: string, key: DeploymentKey, inputs: ValueMap): Promise<ValueMap> {
    const signal = AbortSignal.timeout(5000);
    try {
      const parameters = await this.session.driver.parameters(signal);
      const { deployment } = await this.session.driver.snapshot(key, signal);
      return deployment === undefined
        ? { ...inputs, deploymentId: id }
        : { ...inputs, ...deploymentOutputs(id, deployment, parameters) };
    } catch {
      // Its outputs are read at the next refresh; the id is what must not be lost.
      return { ...inputs, deploymentId: id };
    }
  }

  async #sealed(
    inputs: ValueMap,
    salt: string,
    context: CallContext,
    signal: AbortSignal,
  ): Promise<SealedManifest | undefined> {
    return isInline(inputs) ? inlineManifest(inputs, salt, await this.session.owner(context.urn, signal)) : undefined;
  }
}

function isWait(error: unknown): boolean {
  return error instanceof WaitTimeout || error instanceof WaitCancelled || error instanceof WaitFailed;
}

function announce(identity: NetworkIdentity, context: CallContext): void {
  if (identity.network === "embedded") {
    context.log("info", `on the embedded network ${identity.chain} of this machine`);
  }
}
