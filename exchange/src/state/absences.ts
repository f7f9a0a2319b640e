import type { TransitionContext } from "./context";
import { jail } from "./jail";
import { getParameters } from "./records";
import { slash } from "./slashing";
import type { KeyValueStore } from "./store";
import { operatorByConsensusAddress, signingRecords, validators } from "./validators";

/**
 * Counts a block that a validator of the set did not sign. Blocks are counted in windows that follow one another, by
 * height, so that nothing is written for those who sign; who signs too few of a window is slashed and jailed at once.
 *
 * PERF: O(1), and `slash` where it comes to that.
 */
export function countAbsence(store: KeyValueStore, context: TransitionContext, address: Uint8Array): void {
  const operator = operatorByConsensusAddress(store, address);
  const validator = operator === undefined ? undefined : validators.get(store, operator);
  // A jailed one is in the set for the few blocks until its end has effect.
  if (operator === undefined || validator === undefined || validator.jailed || validator.power === 0n) return;
  const { signingWindow, minSigned, absenceSlash, absenceJail } = getParameters(store);
  if (signingWindow === 0n) return;
  const window = context.height / signingWindow;
  const before = signingRecords.get(store, operator);
  const missed = before?.window === window ? before.missed + 1n : 1n;
  if (missed * 1000n <= signingWindow * BigInt(1000 - minSigned)) {
    signingRecords.put(store, operator, { window, missed });
    return;
  }
  const fault = {
    height: context.height,
    power: validator.power,
    millionths: absenceSlash,
    reason: "absence",
  } as const;
  slash(store, context, operator, fault);
  jail(store, context, operator, "absence", context.height + absenceJail);
}
