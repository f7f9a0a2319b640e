import { randomBytes } from "node:crypto";
import { resourceIdText } from "@dcx/protocol";
import { Deadline } from "../../await/wait";
import { NetworkError, type NetworkIdentity } from "../../network/driver";
import { emptyManifest, sealManifest } from "../../plan/manifest";
import { planCreation, planDeletion } from "../../plan/plan-deployment";
import type { ValueMap } from "../../wire/value";
import { deploymentId, keyOf, whereabouts } from "../identity";
import type {
  CallContext,
  CheckRequest,
  CheckResult,
  CreateRequest,
  CreateResult,
  DeleteRequest,
  DiffRequest,
  DiffResult,
  ListPage,
  ListRequest,
  ReadRequest,
  ReadResult,
  Resource,
  UpdateRequest,
  UpdateResult,
} from "../resource";
import type { Session } from "../session";
import { anothersDeployment } from "./another-tenant";
import { applyPlan } from "./apply";
import { arriveDeployment } from "./arrive-deployment";
import { bringDeployment, sealedManifest } from "./bring-deployment";
import { checkDeployment } from "./check-deployment";
import { desiredState } from "./desired-state";
import { diffDeployment } from "./diff-deployment";
import { isInline } from "./inline-manifest";
import { listDeployments } from "./list-deployments";
import type { Operation } from "./operation";
import { isWait, partialDeployment } from "./partial-deployment";
import { previewCreation, previewUpdate } from "./preview-deployment";
import { readDeployment } from "./read-deployment";
import { takenOver, takenOverText } from "./take-over";
import { awaitTeardown } from "./teardown";

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
    const sealed = await sealedManifest(this.session, request.inputs, salt, context, deadline.signal);
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
    const { inputs } = request;
    const operation: Operation = { session: this.session, id, key: deployment, inputs, context, deadline };
    // From here on it exists: whatever fails keeps the id, so that nothing that is paid for is forgotten.
    try {
      if (!existed) {
        return { id, state: await arriveDeployment(operation, sealed) };
      }
      context.log("info", `deployment ${id} was made by an earlier run that did not record it: taking it over`);
      return { id, state: await bringDeployment(operation) };
    } catch (error) {
      throw await partialDeployment(operation, error);
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
    const { inputs, oldState } = request;
    const operation: Operation = { session: this.session, id: request.id, key: keyOf(id), inputs, context, deadline };
    const sent = { transaction: false };
    try {
      return { state: await bringDeployment(operation, sent, oldState) };
    } catch (error) {
      // Before a transaction nothing has changed: the old inputs are still what is there.
      throw sent.transaction || isWait(error) ? await partialDeployment(operation, error, oldState) : error;
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
}

function announce(identity: NetworkIdentity, context: CallContext): void {
  if (identity.network === "embedded") {
    context.log("info", `on the embedded network ${identity.chain} of this machine`);
  }
}
