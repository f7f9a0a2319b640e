import { type Stamps, within } from "@dcx/protocol";
import { NetworkError } from "../../network/driver";
import type { ActualDeployment } from "../../network/snapshot";
import type { Value, ValueMap } from "../../wire/value";
import { type FoundManifest, findManifest } from "../current-manifest";
import { mayDeclareInline, NONCE, stackOf } from "../entries/ownership";
import type { Session } from "../session";

/**
 * Who declares an inline deployment, by the stamps of its entries (design: "Ownership"):
 * - a stack that imports it keeps the nonce that it found. Its first update takes the deployment over: it raises the
 *   incarnation, by which the chain shows it, and stamps the entries as its own, by which holders show it;
 * - a stack from which it was taken over changes it no more, and leaves it alone when its own resource is deleted.
 */
export interface Declarer {
  /** Of the deployment. */
  readonly id: string;
  readonly urn: string;
  /** What was recorded; absent: nothing yet. */
  readonly state: ValueMap | undefined;
}

export type InlineClaim = "own" | "takes-over";

/**
 * Whether this URN may declare all of a deployment's entries, and whether it takes them over from another stack.
 * @throws {NetworkError} naming who declares one
 */
export async function claimInline(
  session: Session,
  declarer: Declarer,
  actual: ActualDeployment,
  stamps: Stamps,
  signal: AbortSignal,
): Promise<InlineClaim> {
  const { id, urn, state } = declarer;
  const owner = await session.owner(urn, signal);
  const nonce = importedNonce(state);
  if (declaredByOthers(stamps, owner, nonce)) {
    throw new NetworkError("invalid", takenOverText(declarer, actual));
  }
  await mayDeclareInline(session, { id, urn, owner, nonce }, stamps);
  const foreign = Object.values(stamps).some((stamp) => stackOf(stamp.owner) !== stackOf(owner));
  return foreign ? "takes-over" : "own";
}

/** The nonce under which an import found what is declared inline; kept until this stack has stamped it. */
export function importedNonce(state: ValueMap | undefined): string | undefined {
  const nonce = state?.[NONCE];
  return typeof nonce === "string" ? nonce : undefined;
}

/** The nonce that entries declared inline have in common. */
export function sharedNonce(stamps: Stamps): string | undefined {
  const nonces = new Set(Object.values(stamps).map(({ nonce }) => nonce));
  const [nonce] = nonces;
  return nonces.size === 1 ? nonce : undefined;
}

/** Whether the chain says that a deployment was taken over since its state was recorded, by whomever. */
export function isNewer(actual: ActualDeployment, state: ValueMap | undefined): boolean {
  return actual.incarnation > incarnationOf(state?.["incarnation"]);
}

/**
 * Whether another stack has taken a deployment over. An incarnation that is newer than the state's says that somebody
 * has: this stack itself, where the outcome was never recorded, or another one. Stamps tell which.
 * @throws {NetworkError} where it is newer and nobody can say whose: it may be somebody else's
 */
export async function takenOver(
  session: Session,
  { id, urn, state }: Declarer,
  actual: ActualDeployment,
  signal: AbortSignal,
): Promise<boolean> {
  const newer = isNewer(actual, state);
  const found = newer
    ? await findManifest(session, actual, signal)
    : await within(GLANCE, signal, (bounded) => findManifest(session, actual, bounded)).catch((): FoundManifest => {
        signal.throwIfAborted();
        return { kind: "undelivered" };
      });
  if (newer && found.kind === "unreachable") {
    throw new NetworkError(
      "unreachable",
      `Somebody has taken over deployment ${id} since it was recorded here (incarnation ${actual.incarnation}), and no ` +
        `datacenter says who: ${found.why}. Try again when one answers; nothing was changed.`,
    );
  }
  const owner = await session.owner(urn, signal);
  return found.kind === "found" && declaredByOthers(found.envelope.stamps, owner, importedNonce(state));
}

/** Milliseconds for which holders are asked whose it is, where the chain gives no reason to doubt that. */
const GLANCE = 3000;

/** Whether all of it is another stack's, as far as it is not what this one has imported. */
function declaredByOthers(stamps: Stamps, owner: string, imported: string | undefined): boolean {
  const all = Object.values(stamps);
  return all.length > 0 && all.every((one) => stackOf(one.owner) !== stackOf(owner) && one.nonce !== imported);
}

function incarnationOf(value: Value | undefined): bigint {
  return typeof value === "string" && /^\d+$/.test(value) ? BigInt(value) : 0n;
}

/** Says what happened, to what, by which transaction, and what to do about it. */
export function takenOverText({ id, urn, state }: Declarer, actual: ActualDeployment): string {
  const { lastChange, incarnation } = actual;
  const what =
    importedNonce(state) === undefined
      ? `another stack has taken over deployment ${id}: it declares its workloads and connections now (incarnation ${incarnation}).`
      : `another stack declares the workloads and connections of deployment ${id}, and has changed them since they were imported here.`;
  const last =
    lastChange === undefined
      ? ""
      : ` Its last change is transaction ${lastChange.transaction} at block ${lastChange.height}, by ${lastChange.by}.`;
  return (
    `${what}${last} This stack changes it no more. Take it out of this program and its state ` +
    `(\`pulumi state delete '${urn}'\`, or destroy, which leaves it running), or take it over: after that, import ${id} here.`
  );
}
