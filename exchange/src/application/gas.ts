import type { GasMeter } from "../state/context";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";

/** What the envelope of a transaction costs. Messages charge what they do in the state machine. */
export const gasCosts = {
  /** Of messages and memo: the SDK's figure. */
  perByte: 10n,
  /** Key, signature and its verification, and the account that is read and written. */
  perSigner: 4_000n,
  /** A fee grant and its granter's account, read and written. */
  feeGrant: 3_000n,
} as const;

/** Counts gas and refuses to pass the limit. */
export class LimitedGas implements GasMeter {
  private used = 0n;

  constructor(readonly limit: bigint) {}

  get consumed(): bigint {
    return this.used;
  }

  /** @throws EnvelopeError with OutOfGas once the limit is passed; what is consumed then is more than the limit. */
  consume(amount: bigint, what: string): void {
    this.used += amount;
    if (this.used > this.limit) {
      throw new EnvelopeError(
        EnvelopeErrorCode.OutOfGas,
        `out of gas in location: ${what}; gasWanted: ${this.limit}, gasUsed: ${this.used}: sign it again with a higher gas limit`,
      );
    }
  }
}
