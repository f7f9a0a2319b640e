import type { TransactionResult } from "./comet-answers";
import { decodeExchangeEvents, type ExchangeEvent } from "./exchange-events";

export interface QueryClientOptions {
  /** Throws WrongChain at an endpoint of another. Absent: the chain of the first endpoint that answers. */
  readonly chainId?: string;
  /** How long one call goes on trying endpoints before it throws NetworkUnreachable, in ms. Default 10 000. */
  readonly patience?: number;
  /** How long one endpoint may take to answer, in ms. Default 5 000. */
  readonly requestTimeout?: number;
  /** Distance of two looks for a new block where no WebSocket is to be had, in ms. Default 500. */
  readonly pollInterval?: number;
  /** Ends `connect` and every later call. */
  readonly signal?: AbortSignal;
}

export interface NodeStatus {
  readonly chainId: string;
  readonly height: bigint;
  readonly time: Date;
  /** True: the node is behind the chain and still catching up. */
  readonly catchingUp: boolean;
}

export interface Account {
  readonly address: string;
  readonly accountNumber: bigint;
  /** The committed one: number of transactions of this account that counted. */
  readonly sequence: bigint;
  /** Compressed secp256k1 key; absent before the account's first transaction. */
  readonly publicKey?: Uint8Array;
  /** Micro-units. */
  readonly balance: bigint;
  /** Height of the state that `sequence` is from. */
  readonly height: bigint;
}

export interface CommittedTransaction {
  /** Upper-case hexadecimal. */
  readonly hash: string;
  readonly height: bigint;
  /** Place in its block. */
  readonly index: number;
  /** 0: it succeeded. */
  readonly abciCode: number;
  readonly codespace: string;
  readonly log: string;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  /** The encoded TxMsgData. */
  readonly data: Uint8Array;
  /** The encoded TxRaw. */
  readonly transaction: Uint8Array;
  readonly events: readonly ExchangeEvent[];
}

/** Options of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What an ABCI query answered, refusals included. */
export interface AbciAnswer {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly value: Uint8Array;
  /** Height of the state that it is from. */
  readonly height: bigint;
}

/** What a node's mempool said. Code 0: it keeps the transaction, and will bring it into a block if it can. */
export interface BroadcastVerdict {
  readonly abciCode: number;
  readonly codespace: string;
  readonly log: string;
}

/** A transaction with its result, as we hand it on. Throws when its events can't be read. */
export function committed(
  hash: string,
  height: bigint,
  index: number,
  transaction: Uint8Array,
  result: TransactionResult,
): CommittedTransaction {
  return {
    hash: hash.toUpperCase(),
    height,
    index,
    abciCode: result.code,
    codespace: result.codespace,
    log: result.log,
    gasWanted: result.gas_wanted,
    gasUsed: result.gas_used,
    data: result.data,
    transaction,
    events: decodeExchangeEvents(result.events),
  };
}
