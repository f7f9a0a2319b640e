import type { ExchangeErrorCode } from "../exchange/errors";

/** Every error of the clients of this package. `code` is stable: programs tell errors apart by class or by it. */
export abstract class ExchangeClientError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No endpoint answered in time. It says nothing about what is on the chain: never take it for "not found". */
export class NetworkUnreachable extends ExchangeClientError {
  readonly code = "network-unreachable";

  constructor(
    readonly endpoints: readonly string[],
    readonly reasons: readonly string[],
    options?: ErrorOptions,
  ) {
    const tried = endpoints.map((endpoint, index) => `${endpoint} (${reasons[index] ?? "not tried"})`).join(", ");
    super(
      `The exchange can't be reached: ${tried}. Check that its node runs and that the endpoint is right, then try again.`,
      options,
    );
  }
}

/** An endpoint answers for another chain than the one asked for. */
export class WrongChain extends ExchangeClientError {
  readonly code = "wrong-chain";

  constructor(
    readonly endpoint: string,
    readonly expected: string,
    readonly actual: string,
  ) {
    super(
      `${endpoint} is a node of chain ${actual}, not of ${expected}. Point the configuration at a node of ${expected}; ` +
        `if that network was reset, what was on it is gone.`,
    );
  }
}

/** The node answered, and refused the query or the call, or answered what can't be understood. */
export class QueryFailed extends ExchangeClientError {
  readonly code = "query-failed";

  constructor(
    readonly path: string,
    readonly queryCode: number,
    readonly log: string,
    options?: ErrorOptions,
  ) {
    super(`The exchange refused ${path} with code ${queryCode}: ${log}`, options);
  }
}

/** What an ABCI application says about a transaction that it does not accept. */
export interface TransactionFailure {
  /** ABCI code, not 0. */
  readonly abciCode: number;
  readonly codespace: string;
  readonly log: string;
}

/** The transaction is in a committed block and failed there: it changed nothing but fee and sequence. */
export class TransactionFailed extends ExchangeClientError {
  readonly code = "transaction-failed";

  constructor(
    /** Upper-case hexadecimal. */
    readonly hash: string,
    readonly height: bigint,
    readonly failure: TransactionFailure,
    /** With codespace "dcx". */
    readonly exchangeCode?: ExchangeErrorCode,
  ) {
    super(
      `Transaction ${hash} failed in block ${height}: ${failure.log || "no reason given"} ` +
        `(${failure.codespace} ${failure.abciCode}). Nothing changed but the fee that was paid.`,
    );
  }
}

/** The transaction never got into a block: refused in simulation or by the mempool. Nothing changed, no fee. */
export class TransactionRejected extends ExchangeClientError {
  readonly code = "transaction-rejected";

  constructor(
    readonly failure: TransactionFailure,
    /** With codespace "dcx". */
    readonly exchangeCode?: ExchangeErrorCode,
    /** Absent: refused in simulation, before it was signed. */
    readonly hash?: string,
  ) {
    super(
      `The exchange refused the transaction${hash === undefined ? "" : ` ${hash}`}: ` +
        `${failure.log || "no reason given"} (${failure.codespace} ${failure.abciCode}). Nothing was changed.`,
    );
  }
}

/** The account can't pay for the fee or for what the transaction does. */
export class InsufficientFunds extends ExchangeClientError {
  readonly code = "insufficient-funds";

  constructor(
    readonly address: string,
    readonly failure: TransactionFailure,
    /** With `height`: it failed in that block, its fee is paid. Without: it never got into one. */
    readonly hash?: string,
    readonly height?: bigint,
  ) {
    super(
      `Account ${address} has not enough tokens${hash === undefined ? "" : ` for transaction ${hash}`}: ${failure.log}. ` +
        "Send it more tokens, then try again.",
    );
  }
}

/**
 * The transaction was signed and may have been sent, and its outcome could not be learned within the client's
 * patience. It may still count, at the latest in block `timeoutHeight`: look it up by its hash before acting on it.
 */
export class TransactionOutcomeUnknown extends ExchangeClientError {
  readonly code = "transaction-outcome-unknown";

  constructor(
    /** Every hash under which it may be found, the newest last. */
    readonly hashes: readonly string[],
    readonly timeoutHeight: bigint,
    options?: ErrorOptions,
  ) {
    super(
      `It is not known whether transaction ${hashes.join(" or ")} took effect; it can until block ${timeoutHeight}. ` +
        "Try again when the exchange can be reached: what it did will be found then.",
      options,
    );
  }
}

/** The key could not be read, or whoever holds it did not sign. Nothing was sent. Its message holds no secret. */
export class SignerFailed extends ExchangeClientError {
  readonly code = "signer-failed";
}

/** A transaction would cost more in fees than was allowed. It was not signed. */
export class FeeRefused extends ExchangeClientError {
  readonly code = "fee-refused";
}
