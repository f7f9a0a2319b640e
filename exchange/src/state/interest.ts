import type { InterestRecord, Parameters } from "@dcx/protocol";
import { interestStep } from "./quantities";
import { getParameters, interestTable } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";

/**
 * The accumulator A of design "SubmitLeaseConfirmation": interest on one micro-unit of matched collateral since
 * genesis, scaled. Between two changes of the matched collateral it grows by the same step each block, so it is
 * written only on such a change and computed for any height between. Confirmations don't write it: how often one
 * confirms changes nothing.
 */
function accumulatedAt(record: InterestRecord, parameters: Parameters, height: bigint): bigint {
  return BigInt(record.accumulator) + (height - record.height) * interestStep(parameters, record.matchedCollateral);
}

export function startInterest(store: KeyValueStore): void {
  interestTable.put(store, undefined, { accumulator: "0", height: 0n, matchedCollateral: 0n });
}

/** A(height), for a height at or after the last change of the matched collateral. PERF: two reads. */
export function accumulatorAt(store: KeyValueReader, height: bigint): bigint {
  return accumulatedAt(interestTable.need(store, undefined), getParameters(store), height);
}

/** Advances A to this height, then adds to the matched collateral (or subtracts). PERF: two reads, one write. */
export function changeMatchedCollateral(store: KeyValueStore, height: bigint, difference: bigint): void {
  const record = interestTable.need(store, undefined);
  interestTable.put(store, undefined, {
    accumulator: accumulatedAt(record, getParameters(store), height).toString(),
    height,
    matchedCollateral: record.matchedCollateral + difference,
  });
}
