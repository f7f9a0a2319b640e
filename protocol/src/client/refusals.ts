import { ExchangeErrorCode, exchangeCodespace } from "../exchange/errors";
import { InsufficientFunds, TransactionFailed, type TransactionFailure, TransactionRejected } from "./errors";
import type { CommittedTransaction } from "./exchange-query-client";

/** Codes of codespace "sdk" (cosmos-sdk types/errors). */
export const sdk = {
  insufficientFunds: 5,
  inCache: 19,
  mempoolFull: 20,
  timeoutHeight: 30,
  wrongSequence: 32,
} as const;

/** The error for a transaction that never got into a block. `hash` absent: it was not signed. */
export function rejection(failure: TransactionFailure, address: string, hash?: string): Error {
  if (isForFunds(failure)) return new InsufficientFunds(address, failure, hash);
  return new TransactionRejected(failure, exchangeCode(failure), hash);
}

/** The error for a transaction that failed in its block. */
export function failedInBlock(transaction: CommittedTransaction, address: string): Error {
  const { hash, height, abciCode, codespace, log } = transaction;
  const failure = { abciCode, codespace, log };
  if (isForFunds(failure)) return new InsufficientFunds(address, failure, hash, height);
  return new TransactionFailed(hash, height, failure, exchangeCode(failure));
}

export function isSdk(failure: TransactionFailure, code: number): boolean {
  return failure.codespace === "sdk" && failure.abciCode === code;
}

function isForFunds(failure: TransactionFailure): boolean {
  return isSdk(failure, sdk.insufficientFunds) || exchangeCode(failure) === ExchangeErrorCode.InsufficientFunds;
}

function exchangeCode(failure: TransactionFailure): ExchangeErrorCode | undefined {
  return failure.codespace === exchangeCodespace ? failure.abciCode : undefined;
}
