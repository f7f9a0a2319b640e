import { unlessAborted, within } from "@dcx/protocol";
import type { IsolationClass, Timeouts } from "../configuration/configuration";
import type { TagResolver } from "../images/tag-resolver";
import type {
  DatacenterRecord,
  DeploymentKey,
  DeploymentStatus,
  NetworkDriver,
  NetworkIdentity,
  NetworkParameters,
} from "../network/driver";
import { NetworkError } from "../network/driver";
import type { ActualDeployment, Envelope, Snapshot } from "../network/snapshot";
import type { Trace } from "../network/trace";
import { planManifest } from "../plan/plan-manifest";
import { Activity } from "./activity";
import { GroupCommit } from "./commit/group-commit";
import type { FoundManifest } from "./current-manifest";
import { Declarations } from "./declarations";
import { Kept } from "./kept";
import { Shared } from "./shared";
import { Spending } from "./spending";
import { Turns } from "./turns";

export interface SessionSettings {
  /** Keeps the deployments of two stacks with the same URNs apart. */
  readonly namespace: string;
  /** Seconds that creates, updates and deletes may take where the request does not say. */
  readonly timeout: number;
  /** The same for each, where they differ. */
  readonly timeouts?: Timeouts;
  /** What infrastructures ask of their datacenter at least. */
  readonly minimumIsolation?: IsolationClass | undefined;
  /** Micro-units a month that all deployments together may cost. */
  readonly maxCostPerMonth?: bigint | undefined;
  /** Whether creates and updates end once the transaction is in a block. */
  readonly skipAwait: boolean;
  /** Says in previews what tags of images stand for. Without: nobody is asked. */
  readonly images?: TagResolver;
}

/** What the resources of one provider process share: the network, and what this process has met on it. */
export class Session {
  /** One change to a deployment at a time, by its id. */
  readonly turns = new Turns();
  readonly declarations = new Declarations();
  /**
   * Deployments as the diffs of this process saw them, by URN. Between a diff and its update minutes may pass in which
   * another run changes the same thing: that is told, not written over.
   */
  readonly compared = new Kept<ActualDeployment>();
  readonly spending: Spending;
  readonly activity = new Activity(LONELY);
  /** Questions to holders for a manifest that are under way, by its version. */
  readonly manifestQuestions = new Shared<FoundManifest>();
  /** Of what several ask for together: whoever of them leaves, leaves alone. */
  readonly #lasting = new AbortController().signal;
  #questions = QUESTIONS;
  #datacenters: { readonly taken: number; readonly records: Promise<readonly DatacenterRecord[]> } | undefined;
  readonly #commits = new Map<string, GroupCommit>();
  readonly #snapshots = new Map<string, { readonly taken: number; readonly snapshot: Promise<Snapshot> }>();
  readonly #read = new Kept<{ readonly taken: number; readonly snapshot: Snapshot }>();
  readonly #glances = new Map<
    string,
    { readonly taken: number; readonly status: Promise<DeploymentStatus | undefined> }
  >();
  readonly #manifestFees = new Map<string, Promise<bigint | undefined>>();
  readonly #manifests = new Map<string, Envelope>();
  readonly #incarnations = new Map<string, { readonly deployment: string; readonly incarnation: bigint }>();

  constructor(
    readonly driver: NetworkDriver,
    readonly settings: SessionSettings,
    readonly trace?: Trace,
  ) {
    this.spending = new Spending(settings.maxCostPerMonth);
  }

  /** Seconds that an operation may take where the request does not say. */
  timeoutOf(operation: keyof Timeouts): number {
    return this.settings.timeouts?.[operation] ?? this.settings.timeout;
  }

  get images(): TagResolver {
    return this.settings.images ?? nobody;
  }

  /** As the driver's, or those of an embedded network that is not there yet. */
  async parameters(signal: AbortSignal): Promise<NetworkParameters> {
    return (await this.driver.identify(signal)) === undefined ? newNetwork : this.driver.parameters(signal);
  }

  /** Whether previews may put so many more questions for quotes to datacenters; they count then. */
  spendQuestions(count: number): boolean {
    const allowed = count <= this.#questions;
    this.#questions -= allowed ? count : 0;
    return allowed;
  }

  /** As the driver's, for all that ask at about the same time. */
  datacenters(signal: AbortSignal): Promise<readonly DatacenterRecord[]> {
    const known = this.#datacenters;
    if (known !== undefined && Date.now() - known.taken < SHARED) {
      return unlessAborted(signal, known.records);
    }
    const records = this.driver.datacenters(this.#lasting);
    this.#datacenters = { taken: Date.now(), records };
    records.catch(() => {
      this.#datacenters = undefined;
    });
    return unlessAborted(signal, records);
  }

  identify(signal: AbortSignal): Promise<NetworkIdentity | undefined> {
    return this.driver.identify(signal);
  }

  /** The group commit of one deployment: the same for all resources of this process. */
  commits(id: string, deployment: DeploymentKey): GroupCommit {
    const known = this.#commits.get(id) ?? new GroupCommit(this, id, deployment);
    this.#commits.set(id, known);
    return known;
  }

  /**
   * The state of a deployment, at one height for all that ask at about the same time: a hundred siblings are checked
   * against one snapshot. What this process changed is never answered from before.
   */
  snapshot(deployment: DeploymentKey, signal: AbortSignal): Promise<Snapshot> {
    const key = `${deployment.tenant}/${deployment.sequence}`;
    const known = this.#snapshots.get(key);
    if (known !== undefined && Date.now() - known.taken < SHARED) {
      return unlessAborted(signal, known.snapshot);
    }
    this.#forgetOld();
    const snapshot = this.driver.snapshot(deployment, this.#lasting);
    // Also what was there before goes to the end: they are kept in the order in which they were taken.
    this.#snapshots.delete(key);
    this.#snapshots.set(key, { taken: Date.now(), snapshot });
    snapshot.catch(() => this.forget(deployment));
    return unlessAborted(signal, snapshot);
  }

  /** Keeps what a read has found, for the diff of the same run. */
  noteRead(deployment: DeploymentKey, snapshot: Snapshot): void {
    this.#read.set(`${deployment.tenant}/${deployment.sequence}`, { taken: Date.now(), snapshot });
  }

  /**
   * What a program is to be compared with: the state of a deployment as the read of this run found it, which is also what the
   * engine knows of it; else as it is now. Whoever changes it since then is told of by the update.
   */
  async asRead(deployment: DeploymentKey, signal: AbortSignal): Promise<Snapshot> {
    const read = this.#read.get(`${deployment.tenant}/${deployment.sequence}`);
    return read !== undefined && Date.now() - read.taken < READ
      ? read.snapshot
      : await this.snapshot(deployment, signal);
  }

  forget(deployment: DeploymentKey): void {
    const key = `${deployment.tenant}/${deployment.sequence}`;
    this.#snapshots.delete(key);
    this.#read.delete(key);
    for (const glance of this.#glances.keys()) {
      if (glance.startsWith(`${key}/`)) {
        this.#glances.delete(glance);
      }
    }
  }

  /** What serves nobody any more: with a thousand deployments it would be most of what the process holds. */
  #forgetOld(): void {
    const old = Date.now() - SHARED;
    for (const [key, { taken }] of this.#snapshots) {
      if (taken > old) {
        return;
      }
      this.#snapshots.delete(key);
    }
  }

  /**
   * Whether the chain names another version than a snapshot does. Who asks after somebody else has found out is told so
   * without another question.
   */
  async replaced(deployment: DeploymentKey, than: Snapshot, signal: AbortSignal): Promise<boolean> {
    if ((await this.snapshot(deployment, signal)) === than) {
      this.forget(deployment);
    }
    const { deployment: now } = await this.snapshot(deployment, signal);
    return now?.version !== than.deployment?.version;
  }

  /** An active deployment; throws where it has ended. */
  async existing(
    deployment: DeploymentKey,
    signal: AbortSignal,
  ): Promise<Snapshot & { readonly deployment: ActualDeployment }> {
    const snapshot = await this.snapshot(deployment, signal);
    if (snapshot.deployment === undefined || !snapshot.deployment.active) {
      throw new NetworkError(
        "refused",
        `Deployment ${deployment.tenant}/${deployment.sequence} has been cancelled. ` +
          "`pulumi refresh` records that, and `pulumi up` makes a new one.",
      );
    }
    return { ...snapshot, deployment: snapshot.deployment };
  }

  /** A manifest by its version, where this process has seen it. Versions name their content for good. */
  remembered(version: string): Envelope | undefined {
    return this.#manifests.get(version);
  }

  remember(envelope: Envelope): void {
    this.#manifests.delete(envelope.version);
    this.#manifests.set(envelope.version, envelope);
    const [oldest] = this.#manifests.keys();
    if (this.#manifests.size > REMEMBERED && oldest !== undefined) {
      this.#manifests.delete(oldest);
    }
  }

  /**
   * About what a transaction costs that changes a deployment's manifest and nothing else, in micro-units; asked once for
   * all entries that it carries. `undefined`: it could not be tried.
   */
  manifestFee(actual: ActualDeployment, signal: AbortSignal): Promise<bigint | undefined> {
    const key = `${actual.tenant}/${actual.sequence}/${actual.revision}`;
    const known = this.#manifestFees.get(key);
    if (known !== undefined) {
      return unlessAborted(signal, known);
    }
    // Any version and number will do: they have the same size.
    const { steps } = planManifest(actual, { version: actual.nonce }, actual.manifestEntries + 1, []);
    const [step] = steps.filter((one) => one.kind === "transaction");
    const fee =
      step === undefined
        ? Promise.resolve(undefined)
        : this.driver.estimateFee(step.transaction, this.#lasting).catch((error: unknown) => {
            this.#manifestFees.delete(key);
            if (error instanceof NetworkError && error.code === "limit") {
              throw error;
            }
            return undefined;
          });
    this.#manifestFees.set(key, fee);
    return unlessAborted(signal, fee);
  }

  unreachable(deployment: ActualDeployment, why: string): NetworkError {
    return new NetworkError(
      "unreachable",
      `No datacenter that runs deployment ${deployment.tenant}/${deployment.sequence} says what runs there: ${why}. ` +
        "Try again when one answers.",
    );
  }

  /**
   * The owner of what a URN declares: who it is within its stack, after which stack it is. Of the latter only as much
   * is kept as tells stacks apart.
   */
  async owner(urn: string, signal: AbortSignal): Promise<string> {
    const stack = urn.split("::").slice(0, 2).join("::");
    const [whole, own] = await Promise.all([this.driver.owner(stack, signal), this.driver.owner(urn, signal)]);
    return `${whole.slice(0, 16)}.${own}`;
  }

  /** Whether a holder says that it runs this version. One that does not answer in a few seconds does not. */
  async runs(deployment: DeploymentKey, holder: string, version: string, signal: AbortSignal): Promise<boolean> {
    const status = await this.glance(deployment, holder, signal);
    return status?.version === version && status.complete;
  }

  /**
   * What a holder says, asked for a few seconds only; nothing where it does not answer. Once for all that ask at about
   * the same time.
   */
  glance(deployment: DeploymentKey, holder: string, signal: AbortSignal): Promise<DeploymentStatus | undefined> {
    const key = `${deployment.tenant}/${deployment.sequence}/${holder}`;
    const known = this.#glances.get(key);
    if (known !== undefined && Date.now() - known.taken < SHARED) {
      return unlessAborted(signal, known.status);
    }
    const status = this.#glanceNow(deployment, holder);
    this.#glances.set(key, { taken: Date.now(), status });
    return unlessAborted(signal, status);
  }

  async #glanceNow(deployment: DeploymentKey, holder: string): Promise<DeploymentStatus | undefined> {
    try {
      return await within(GLANCE, this.#lasting, (bounded) =>
        this.driver.status(deployment, holder, { after: undefined, waitMilliseconds: 0 }, bounded),
      );
    } catch {
      return undefined;
    }
  }

  /** Records which incarnation of a deployment a URN has made, taken over, or in its state. */
  met(urn: string, deployment: string, incarnation: bigint): void {
    if (!this.hasNewer(urn, deployment, incarnation)) {
      this.#incarnations.set(urn, { deployment, incarnation });
    }
  }

  /** Whether this process has met, for this URN, a newer incarnation of that deployment. */
  hasNewer(urn: string, deployment: string, incarnation: bigint): boolean {
    const known = this.#incarnations.get(urn);
    return known !== undefined && known.deployment === deployment && known.incarnation > incarnation;
  }
}

/** Asks no registry. */
const nobody: TagResolver = { resolve: async () => new Map() };

/** Milliseconds for which one snapshot serves all that ask: about what lies between the first request of an operation
 * about a deployment and the last. */
const SHARED = 2000;
/** Milliseconds for which what a read has found is what the diff of the same run compares with: an engine reads all of a
 * stack before it compares the first of it. */
const READ = 30_000;
/** Milliseconds for which an entry waits for another while nothing else is being done. */
const LONELY = 30_000;
/** Milliseconds for which a read or a diff waits for a holder that may be down. */
const GLANCE = 3000;
/** Questions for quotes that previews put to datacenters in all. */
const QUESTIONS = 64;
/** Manifests that are kept. */
const REMEMBERED = 32;

/** What a new embedded network is going to have. */
export const newNetwork: NetworkParameters = {
  blockInterval: 500,
  denomination: "udcx",
  addressPrefix: "dcx",
  maxWaitDuration: 1_000_000n,
  maxInfrastructures: 64,
  maxGroups: 64,
  maxAttributes: 64,
  maxCount: 1_000_000,
  maxManagers: 16,
};
