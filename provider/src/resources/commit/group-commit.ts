import { entryCount, type Stamps, unlessAborted, withJoined } from "@dcx/protocol";
import { type DeploymentKey, RevisionConflict } from "../../network/driver";
import type { ActualDeployment, Envelope, Snapshot } from "../../network/snapshot";
import { describeEntries } from "../../plan/describe-entries";
import { emptyManifest, openManifest, sealManifest, slotProblems } from "../../plan/manifest";
import { planManifest } from "../../plan/plan-manifest";
import { findManifest, holdersOf } from "../current-manifest";
import { applyPlan, handToAll } from "../deployment/apply";
import { entriesOf } from "../entries/entry";
import type { Session } from "../session";
import { type Change, type Draft, isWaiting } from "./change";
import { ChangedByAnother, MissingEntry } from "./errors";

export interface Committed {
  readonly snapshot: Snapshot;
  readonly envelope: Envelope;
}

interface Member {
  readonly change: Change;
  resolve(committed: Committed): void;
  reject(error: unknown): void;
  waitsFor: string | undefined;
}

interface Base {
  readonly snapshot: Snapshot & { readonly deployment: ActualDeployment };
  readonly draft: Draft;
  readonly envelope: Envelope;
}

/** Times that a batch which lost to somebody else's update is made again. */
const MOST_CONFLICTS = 10;

/**
 * Group commit of one deployment in this process (design: "Group commit"): the first change goes at once, those that
 * arrive while it is in flight form the next update, and never are two in flight. Changes that wait for another entry
 * stay until it is there; they hold nobody up.
 */
export class GroupCommit {
  #arrived: Member[] = [];
  #running = false;
  #wake: () => void = () => {};
  /** The manifest of the newest commit of this process. */
  latest: Envelope | undefined;

  constructor(
    readonly session: Session,
    readonly id: string,
    readonly deployment: DeploymentKey,
  ) {}

  /** Resolves when the change is in a block, with the state that it led to. */
  join(change: Change): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#arrived.push({ change, resolve, reject, waitsFor: undefined });
      this.#wake();
      if (!this.#running) {
        this.#running = true;
        void this.#run();
      }
    });
  }

  async #run(): Promise<void> {
    // The members' signals say when each leaves; the batch itself is nobody's to cancel.
    const signal = new AbortController().signal;
    try {
      while (this.#arrived.length > 0) {
        const before = this.#arrived;
        this.#arrived = [];
        let waiting: Member[] = [];
        try {
          const { trace, turns } = this.session;
          const commit = (): Promise<Member[]> => turns.take(this.id, signal, () => this.#commit(before, signal));
          waiting = await (trace === undefined ? commit() : trace.operation("Commit", this.id, commit));
        } catch (error) {
          for (const member of before) {
            member.reject(error);
          }
        }
        await this.#idle(waiting, signal);
      }
    } finally {
      this.#running = false;
    }
  }

  /** Commits what can be, settles those members, and returns those that wait. */
  async #commit(members: readonly Member[], signal: AbortSignal): Promise<Member[]> {
    let base = await this.#base(signal);
    let pending: readonly Member[] = members;
    for (let attempt = 1; ; attempt++) {
      const { draft, included, waiting } = await this.#draft(pending, base);
      if (included.length === 0) {
        return waiting;
      }
      const envelope = sealManifest(draft.manifest, draft.stamps);
      try {
        const committed = await this.#send(base, draft, envelope, included, signal);
        for (const member of included) {
          member.resolve(committed);
        }
        return waiting;
      } catch (error) {
        if (error instanceof SomebodyLeft) {
          continue;
        }
        if (!(error instanceof RevisionConflict) || attempt >= MOST_CONFLICTS) {
          for (const member of included) {
            member.reject(error);
          }
          return waiting;
        }
        const now = await this.#base(signal);
        const configured = (await this.session.identify(signal))?.tenant;
        pending = [...this.#stillUntouched(included, base, now, configured), ...waiting];
        base = now;
      }
    }
  }

  /** What the batch leads to. Members that fail, or have been cancelled, are settled here and left out. */
  async #draft(
    members: readonly Member[],
    base: Base,
  ): Promise<{ readonly draft: Draft; readonly included: Member[]; readonly waiting: Member[] }> {
    let { draft } = base;
    const included: Member[] = [];
    let waiting: Member[] = [...members];
    // Each round may bring what others wait for.
    for (let progress = true; progress; ) {
      progress = false;
      const still: Member[] = [];
      for (const member of waiting) {
        if (member.change.signal.aborted) {
          member.reject(reasonOf(member));
          continue;
        }
        try {
          const outcome = await member.change.apply(draft, base.snapshot.deployment);
          if (isWaiting(outcome)) {
            member.waitsFor = outcome.waitsFor;
            still.push(member);
            continue;
          }
          refuseMisfit(outcome, draft, base.snapshot.deployment, member.change.entry);
          draft = outcome;
          included.push(member);
          progress = true;
        } catch (error) {
          member.reject(error);
        }
      }
      waiting = still;
    }
    return { draft, included, waiting };
  }

  async #send(
    base: Base,
    draft: Draft,
    envelope: Envelope,
    members: readonly Member[],
    signal: AbortSignal,
  ): Promise<Committed> {
    const stillAll = (): void => {
      if (members.some(({ change }) => change.signal.aborted)) {
        throw new SomebodyLeft();
      }
    };
    const { driver } = this.session;
    const { deployment } = base.snapshot;
    const entries = entryCount(draft.manifest) + draft.unseen;
    const holders = holdersOf(deployment);
    const changed = envelope.version !== deployment.version || entries !== deployment.manifestEntries;
    if (!changed && !sameStamps(base.envelope.stamps, envelope.stamps)) {
      // Only who owns what has changed: no transaction, but the holders are to know.
      await handToAll(driver, this.deployment, holders, envelope, signal);
    }
    if (!changed) {
      this.#keep(envelope);
      return { snapshot: base.snapshot, envelope };
    }
    await applyPlan(driver, planManifest(deployment, envelope, entries, holders), envelope, () => {}, signal, stillAll);
    this.#keep(envelope);
    this.session.forget(this.deployment);
    return { snapshot: await this.session.snapshot(this.deployment, signal), envelope };
  }

  #keep(envelope: Envelope): void {
    this.latest = envelope;
    this.session.remember(envelope);
  }

  async #base(signal: AbortSignal): Promise<Base> {
    this.session.forget(this.deployment);
    const snapshot = await this.session.existing(this.deployment, signal);
    const { deployment } = snapshot;
    const found = await findManifest(this.session, deployment, signal);
    if (found.kind === "unreachable") {
      throw this.session.unreachable(deployment, found.why);
    }
    if (found.kind === "undelivered") {
      const salt = await this.session.driver.manifestSalt(deployment.clientToken, deployment.nonce, signal);
      const manifest = emptyManifest(salt);
      const draft = { manifest, stamps: {}, unseen: deployment.manifestEntries };
      return { snapshot, draft, envelope: sealManifest(manifest, {}) };
    }
    const manifest = openManifest(found.envelope);
    const unseen = Math.max(0, deployment.manifestEntries - entryCount(manifest));
    return { snapshot, draft: { manifest, stamps: found.envelope.stamps, unseen }, envelope: found.envelope };
  }

  /** Members whose entries nobody else has changed; the others fail, naming who has. */
  #stillUntouched(
    members: readonly Member[],
    before: Base,
    now: Base,
    configured: string | undefined,
  ): readonly Member[] {
    const old = entriesOf(before.draft.manifest);
    const current = entriesOf(now.draft.manifest);
    return members.filter((member) => {
      const { entry } = member.change;
      if (old.get(entry) === current.get(entry)) {
        return true;
      }
      const changes = describeEntries(before.draft.manifest, now.draft.manifest);
      const change = changes.find(({ kind, name }) => `${kind}/${name}` === entry);
      member.reject(
        new ChangedByAnother(this.id, entry, {
          before: before.snapshot.deployment,
          now: now.snapshot.deployment,
          configured,
          what: change?.text,
        }),
      );
      return false;
    });
  }

  /** Waits until something may have come that a waiting member waits for, or one of them has to leave. */
  async #idle(waiting: readonly Member[], signal: AbortSignal): Promise<void> {
    if (waiting.length === 0) {
      return;
    }
    if (this.#arrived.length === 0) {
      // From here on: who comes while the height is asked for is not to wait for a block.
      const stop = new AbortController();
      this.#wake = () => stop.abort();
      const left = waiting.map(({ change }) => change.signal);
      await withJoined([signal, stop.signal, ...left], async (until) => {
        const snapshot = await this.session.snapshot(this.deployment, until).catch(() => undefined);
        const block = this.session.driver.waitForHeight(snapshot?.height ?? 0n, until);
        await unlessAborted(until, block).catch(() => {});
      });
    }
    this.#arrived = [...waiting, ...this.#arrived];
  }
}

/** A member was cancelled before the signature: the batch is made again without it. */
class SomebodyLeft extends Error {}

/**
 * A workload that fits no slot is its own failure: it is refused before it can take the batch with it. Only its own
 * infrastructure is looked at, for nowhere else anything changed.
 */
function refuseMisfit(next: Draft, before: Draft, deployment: ActualDeployment, entry: string): void {
  const name = entry.startsWith("workloads/") ? entry.slice("workloads/".length) : "";
  const workload = next.manifest.workloads[name];
  const terms = workload === undefined ? undefined : deployment.infrastructures[workload.infrastructure]?.terms;
  if (workload === undefined || terms === undefined || before.manifest.workloads[name] === workload) {
    return;
  }
  const place = { [workload.infrastructure]: terms };
  const problems = slotProblems(next.manifest.workloads, place);
  if (problems.length === 0) {
    return;
  }
  const known = new Set(slotProblems(before.manifest.workloads, place).map(({ path }) => path));
  const fresh = problems.filter(({ path }) => !known.has(path) || path === `workloads.${name}`);
  if (fresh.length > 0) {
    throw new Error(`${entry} does not fit: ${fresh.map(({ path, message }) => `${path} ${message}`).join("; ")}`);
  }
}

function reasonOf({ change, waitsFor }: Member): unknown {
  return waitsFor === undefined ? change.signal.reason : new MissingEntry(change.entry, waitsFor);
}

function sameStamps(a: Stamps, b: Stamps): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => a[key]?.nonce === b[key]?.nonce && a[key]?.owner === b[key]?.owner)
  );
}
