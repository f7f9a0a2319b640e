import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";
import { facilitatorTypes } from "./proposal";
import type { Transaction } from "./transaction";

/** A committed block's facilitator's part is not what this node works out: one of the two is wrong, so it stops. */
export class FacilitatorMismatch extends Error {
  override readonly name = "FacilitatorMismatch";
}

/** @throws EnvelopeError where a transaction holds what only facilitators make */
export function refuseFacilitatorTypes(transaction: Transaction): void {
  for (const message of transaction.messages) {
    if (facilitatorTypes.has(message.typeUrl)) {
      throw new EnvelopeError(
        EnvelopeErrorCode.Unauthorized,
        `${message.typeUrl} is made by facilitators only, in their part of the block`,
      );
    }
  }
}

/** In which place, and how, a block's beginning differs from the part that this node works out. */
export function facilitatorDifference(
  transactions: readonly Uint8Array[],
  part: readonly Uint8Array[],
): string | undefined {
  for (const [index, expected] of part.entries()) {
    const found = transactions[index];
    if (found !== undefined && Buffer.compare(found, expected) === 0) continue;
    const there = found === undefined ? "nothing" : Buffer.from(found).toString("hex");
    return `facilitator's transaction ${index} is ${there}, this node works out ${Buffer.from(expected).toString("hex")}`;
  }
  return undefined;
}

/** @throws FacilitatorMismatch where a decided block does not begin with the part that this node works out */
export function requireFacilitatorPart(
  transactions: readonly Uint8Array[],
  part: readonly Uint8Array[],
  height: bigint,
): void {
  const difference = facilitatorDifference(transactions, part);
  if (difference === undefined) return;
  throw new FacilitatorMismatch(`block ${height} was decided with another facilitator's part: ${difference}`);
}
