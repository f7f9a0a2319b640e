import { type DeploymentKey, NetworkError } from "../network/driver";
import type { ActualDeployment, Envelope, Snapshot } from "../network/snapshot";
import { emptyManifest, sealManifest } from "../plan/manifest";
import type { Session } from "./session";

export type FoundManifest =
  | { readonly kind: "found"; readonly envelope: Envelope }
  /** Holders answer and none has it, or nobody holds a lease. */
  | { readonly kind: "undelivered" }
  /** No holder answers: that says nothing. */
  | { readonly kind: "unreachable"; readonly why: string };

/**
 * The manifest that the chain names, from whichever holder has it; verified by its hash.
 * @param sight `content`: one that this process has seen will do (its stamps may have changed since);
 *   `holders`: what holders have now
 */
export async function findManifest(
  session: Session,
  actual: ActualDeployment,
  signal: AbortSignal,
  sight: "content" | "holders" = "holders",
): Promise<FoundManifest> {
  const salt = await session.driver.manifestSalt(actual.clientToken, actual.nonce, signal);
  const empty = sealManifest(emptyManifest(salt), {});
  if (empty.version === actual.version) {
    return { kind: "found", envelope: empty };
  }
  const remembered = session.remembered(actual.version);
  if (remembered !== undefined && sight === "content") {
    return { kind: "found", envelope: remembered };
  }
  const holders = holdersOf(actual);
  const ask = async (): Promise<FoundManifest> =>
    holders.length === 0 ? { kind: "undelivered" } : askHolders(session, actual, holders, signal);
  const found = await (sight === "content" ? session.manifestQuestions.ask(actual.version, signal, ask) : ask());
  // Committed by this process before there was a lease to deliver it to: nobody else can have other stamps for it.
  return found.kind === "undelivered" && remembered !== undefined ? { kind: "found", envelope: remembered } : found;
}

/** How often a deployment that is changed again and again is looked at before the last answer has to do. */
export const LOOKS = 3;

/** An active deployment with its manifest, as of one moment. */
export interface Look {
  readonly snapshot: Snapshot;
  readonly actual: ActualDeployment;
  readonly found: FoundManifest;
}

/**
 * An active deployment with its manifest. Holders drop a version that is replaced: where nobody has the one that the
 * chain named, and the chain names another by now, somebody has changed it in between, and it is looked at again.
 * Undefined: it has ended, or there is none.
 */
export async function lookAt(
  session: Session,
  deployment: DeploymentKey,
  signal: AbortSignal,
  sight: "content" | "holders" = "holders",
): Promise<Look | undefined> {
  for (let look = 1; ; look++) {
    const snapshot = await session.snapshot(deployment, signal);
    const actual = snapshot.deployment;
    if (actual === undefined || !actual.active) {
      return undefined;
    }
    const found = await findManifest(session, actual, signal, sight);
    if (found.kind !== "undelivered" || look === LOOKS || !(await session.replaced(deployment, snapshot, signal))) {
      return { snapshot, actual, found };
    }
  }
}

async function askHolders(
  session: Session,
  actual: ActualDeployment,
  holders: readonly string[],
  signal: AbortSignal,
): Promise<FoundManifest> {
  const deployment = { tenant: actual.tenant, sequence: actual.sequence };
  const problems: string[] = [];
  // Whoever has it first will do: one that is down is not waited for.
  const enough = new AbortController();
  const bounded = AbortSignal.any([signal, enough.signal]);
  const answers = holders.map(async (holder) => {
    try {
      const envelope = await session.driver.fetchManifest(deployment, holder, actual.version, bounded);
      if (envelope !== undefined) {
        return envelope;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof NetworkError)) {
        throw error;
      }
      problems.push(error.message);
    }
    throw new NotHere();
  });
  try {
    const envelope = await Promise.any(answers);
    session.remember(envelope);
    return { kind: "found", envelope };
  } catch (error) {
    const unexpected = error instanceof AggregateError ? error.errors.find((one) => !(one instanceof NotHere)) : error;
    if (unexpected !== undefined) {
      throw unexpected;
    }
    return problems.length === holders.length
      ? { kind: "unreachable", why: problems.join("; ") }
      : { kind: "undelivered" };
  } finally {
    enough.abort();
  }
}

/** A holder does not have the manifest, or can't be asked for it. */
class NotHere extends Error {}

/** Every datacenter with an active lease of this deployment. */
export function holdersOf(actual: ActualDeployment): readonly string[] {
  const holders = Object.values(actual.infrastructures).flatMap(({ lease, successor }) =>
    [lease, successor].flatMap((one) => (one === undefined ? [] : [one.datacenter])),
  );
  return [...new Set(holders)].sort();
}
