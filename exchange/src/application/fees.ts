import type { Parameters } from "@dcx/protocol";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";
import type { Transaction } from "./transaction";

const scale = 10n ** 18n;
const largestAmount = 2n ** 64n - 1n;

export interface OfferedFee {
  /** Micro-units. */
  readonly amount: bigint;
  readonly gasLimit: bigint;
}

/** The least fee (micro-units) for a gas limit: ⌈gas × minimum gas price⌉. */
function leastFee(parameters: Parameters, gasLimit: bigint): bigint {
  return (gasLimit * BigInt(parameters.minimumGasPrice === "" ? "0" : parameters.minimumGasPrice) + scale - 1n) / scale;
}

/** Most gas that one transaction may ask for: what a block has outside of the part kept for confirmations. */
function mostGas(parameters: Parameters): bigint {
  return (parameters.blockMaxGas * (1000n - BigInt(parameters.confirmationReserve))) / 1000n;
}

/**
 * Reads a transaction's fee and checks it against the chain's prices and limits.
 * @throws EnvelopeError naming what is asked and what is offered
 */
export function offeredFee(transaction: Transaction, parameters: Parameters, denomination: string): OfferedFee {
  const fee = transaction.fee;
  if (fee === undefined) {
    throw new EnvelopeError(EnvelopeErrorCode.InvalidRequest, "the transaction has no fee and gas limit");
  }
  if (fee.gasLimit <= 0n || fee.gasLimit > mostGas(parameters)) {
    throw new EnvelopeError(
      EnvelopeErrorCode.InvalidGasLimit,
      `gas limit ${fee.gasLimit}: at least 1 and at most ${mostGas(parameters)}, what a block has for it`,
    );
  }
  const [coin, ...others] = fee.amount;
  if (others.length > 0 || (coin !== undefined && coin.denom !== denomination)) {
    throw new EnvelopeError(EnvelopeErrorCode.InvalidCoins, `the fee must be one amount of ${denomination}`);
  }
  if (coin !== undefined && !/^(0|[1-9][0-9]{0,19})$/.test(coin.amount)) {
    throw new EnvelopeError(EnvelopeErrorCode.InvalidCoins, "the fee's amount is not a whole number of micro-units");
  }
  const amount = BigInt(coin?.amount ?? "0");
  const least = leastFee(parameters, fee.gasLimit);
  if (amount > largestAmount || amount < least) {
    throw new EnvelopeError(
      EnvelopeErrorCode.InsufficientFee,
      `insufficient fees; got: ${amount}${denomination} required: ${least}${denomination}`,
    );
  }
  return { amount, gasLimit: fee.gasLimit };
}
