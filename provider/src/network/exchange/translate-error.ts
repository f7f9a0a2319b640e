import {
  ExchangeErrorCode,
  FeeRefused,
  InsufficientFunds,
  NetworkUnreachable,
  QueryFailed,
  SignerFailed,
  TransactionFailed,
  TransactionOutcomeUnknown,
  TransactionRejected,
  WrongChain,
} from "@dcx/protocol";
import { NetworkError, RevisionConflict } from "../driver";

/** Asks the exchange something. @throws {NetworkError} {RevisionConflict}, or the signal's reason */
export async function asked<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    throw translateError(error, signal);
  }
}

/** What an exchange's client threw, in the words of the driver. */
export function translateError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) {
    return signal.reason;
  }
  if (error instanceof TransactionFailed || error instanceof TransactionRejected) {
    if (error.exchangeCode === ExchangeErrorCode.RevisionMismatch) {
      return new RevisionConflict(error.message, { cause: error });
    }
    return new NetworkError("refused", error.message, { cause: error });
  }
  if (error instanceof FeeRefused) {
    return new NetworkError("limit", error.message, { cause: error });
  }
  if (error instanceof SignerFailed) {
    return new NetworkError("refused", error.message, { cause: error });
  }
  if (error instanceof InsufficientFunds) {
    return new NetworkError("funds", error.message, { cause: error });
  }
  if (
    error instanceof NetworkUnreachable ||
    error instanceof TransactionOutcomeUnknown ||
    error instanceof WrongChain
  ) {
    return new NetworkError("unreachable", error.message, { cause: error });
  }
  return error instanceof QueryFailed ? new NetworkError("refused", error.message, { cause: error }) : error;
}
