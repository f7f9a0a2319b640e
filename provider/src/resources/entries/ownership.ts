import type { Stamps } from "@dcx/protocol";
import { NetworkError } from "../../network/driver";
import type { Draft } from "../commit/change";
import type { Session } from "../session";

/** The property of a state that holds a nonce of stamps. It is no output: programs never see it. */
export const NONCE = "__nonce";

/** What of a stamp's owner tells stacks apart. */
export function stackOf(owner: string): string {
  return owner.split(".")[0] ?? owner;
}

export interface Claim {
  /** Of the deployment. */
  readonly id: string;
  readonly entry: string;
  readonly urn: string;
  readonly owner: string;
  /** Of the stamp that the state knows the entry by: from its declaration, or from an import. */
  readonly nonce?: string | undefined;
}

/**
 * Whether a URN may declare an entry (design: "Ownership"). Its own is its own; one that another resource of this
 * stack declared and declares no more is taken over, without a restart; one that somebody still declares is refused.
 * @throws {NetworkError} naming both
 */
export async function mayDeclare(
  session: Session,
  claim: Claim,
  draft: Draft,
  operation: "create" | "update",
): Promise<void> {
  const { id, entry, urn } = claim;
  const inline = session.declarations.inlineUrn(id);
  if (inline !== undefined) {
    throw refusal(
      `${urn} declares ${entry}, and ${inline} declares the workloads and connections of deployment ${id} inline. ` +
        "Declare all of them in one way: inline, or as resources of their own.",
    );
  }
  await notDeclaredElsewhere(session, claim, draft.stamps, operation);
}

/**
 * As `mayDeclare`, for a deployment that declares its entries inline: all that there are become its own, so none may be
 * somebody's who still declares it.
 */
export async function mayDeclareInline(session: Session, claim: Omit<Claim, "entry">, stamps: Stamps): Promise<void> {
  for (const entry of Object.keys(stamps)) {
    await notDeclaredElsewhere(session, { ...claim, entry }, stamps, "update");
  }
}

async function notDeclaredElsewhere(
  session: Session,
  { id, entry, urn, owner, nonce }: Claim,
  stamps: Stamps,
  operation: "create" | "update",
): Promise<void> {
  const stamp = Object.hasOwn(stamps, entry) ? stamps[entry] : undefined;
  if (stamp === undefined || stamp.owner === owner || (operation === "update" && stamp.nonce === nonce)) {
    return;
  }
  if (stackOf(stamp.owner) !== stackOf(owner)) {
    throw refusal(
      `${entry} of deployment ${id} is declared by another stack, so ${urn} can't declare it too. ` +
        `Give one of them another name, or remove it there first (its owner is ${stamp.owner}).`,
    );
  }
  for (const other of session.declarations.others(urn, entry)) {
    if ((await session.owner(other, AbortSignal.timeout(10_000))) === stamp.owner) {
      const what = operation === "create" ? "can't declare it too" : "can't change it";
      throw refusal(
        `${entry} of deployment ${id} is declared by ${other}, so ${urn} ${what}. Give one of them another name.`,
      );
    }
  }
}

function refusal(message: string): NetworkError {
  return new NetworkError("invalid", message);
}
