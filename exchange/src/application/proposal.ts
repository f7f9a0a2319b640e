import type { Parameters } from "@dcx/protocol";

/** A pending transaction as the choice for a block sees it. */
export interface Candidate {
  readonly bytes: Uint8Array;
  /** The first signer: transactions of one signer keep their order. */
  readonly sender: string;
  readonly gas: bigint;
  /** Nothing in it but confirmations by the datacenters of active leases. */
  readonly confirmation: boolean;
}

/** What a block has room for. */
export interface Room {
  readonly bytes: number;
  readonly gas: bigint;
}

/** The types that only facilitators make. */
export const facilitatorTypes: ReadonlySet<string> = new Set([
  "/dcx.exchange.v1.MsgSubmitLease",
  "/dcx.exchange.v1.MsgSubmitStaleLease",
]);

/** Bytes that a transaction takes in a block: its own, the field's tag and its length. */
export function bytesInBlock(transaction: Uint8Array): number {
  let length = transaction.length;
  let framing = 2;
  for (; length >= 0x80; length >>>= 7) framing += 1;
  return transaction.length + framing;
}

/**
 * Chooses what goes into a block, the confirmations first: up to the reserve they compete only with one another, so
 * that however much is sent no lease goes stale for want of room; what is left is for all in order of arrival. Of those
 * each sender's first comes before anybody's second: one lease confirmed over and over keeps no other out. A confirmation
 * takes along what its sender sent before it, for sequences have no gaps.
 */
export function chooseTransactions(
  candidates: readonly Candidate[],
  room: Room,
  parameters: Pick<Parameters, "confirmationReserve">,
): Uint8Array[] {
  const chosen: Uint8Array[] = [];
  const taken = new Set<Candidate>();
  const stopped = new Set<string>();
  let bytes = 0;
  let gas = 0n;
  const take = (candidate: Candidate, limit: Room): boolean => {
    const size = bytesInBlock(candidate.bytes);
    if (bytes + size > limit.bytes || gas + candidate.gas > limit.gas) return false;
    bytes += size;
    gas += candidate.gas;
    taken.add(candidate);
    chosen.push(candidate.bytes);
    return true;
  };

  const share = parameters.confirmationReserve;
  const reserve = { bytes: Math.floor((room.bytes * share) / 1000), gas: (room.gas * BigInt(share)) / 1000n };
  const bySender = new Map<string, Candidate[]>();
  for (const one of candidates) {
    const own = bySender.get(one.sender);
    if (own === undefined) bySender.set(one.sender, [one]);
    else own.push(one);
  }
  for (const confirmation of inTurn(candidates.filter((one) => one.confirmation))) {
    if (stopped.has(confirmation.sender)) continue;
    for (const own of bySender.get(confirmation.sender) ?? []) {
      if (!taken.has(own) && !take(own, reserve)) {
        stopped.add(confirmation.sender);
        break;
      }
      if (own === confirmation) break;
    }
  }

  // One that does not fit closes the lane for its sender only, so that a big one does not hold up the rest.
  stopped.clear();
  for (const candidate of candidates) {
    if (taken.has(candidate) || stopped.has(candidate.sender)) continue;
    if (!take(candidate, room)) stopped.add(candidate.sender);
  }
  return chosen;
}

/** Every sender's first in order of arrival, then every sender's second, and so on. */
function inTurn(candidates: readonly Candidate[]): Candidate[] {
  const counts = new Map<string, number>();
  const rounds = candidates.map((candidate) => {
    const round = counts.get(candidate.sender) ?? 0;
    counts.set(candidate.sender, round + 1);
    return { candidate, round };
  });
  return rounds.sort((one, other) => one.round - other.round).map(({ candidate }) => candidate);
}
