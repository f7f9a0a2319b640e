import type { EncodeObject, OfflineDirectSigner } from "@cosmjs/proto-signing";
import type { ExchangeEvent } from "./exchange-events";
import type { CallOptions, ExchangeQueryClient } from "./exchange-query-client";
import type { MessageResponse } from "./messages";

export interface SigningClientOptions {
  /** Gas limit = simulated gas × this. Default 1.4. */
  readonly gasFactor?: number;
  /** Blocks after the current one in which a signed transaction can count. Default 60. */
  readonly timeoutBlocks?: number;
  /** How long a signed transaction is followed while no endpoint answers, in ms. Default 300 000. */
  readonly patience?: number;
  /** Which account of the signer. Default: its first. */
  readonly address?: string;
}

export interface TransactionFee {
  /** Micro-units. */
  readonly amount: bigint;
  readonly denomination: string;
  readonly gas: bigint;
  /** Account that pays in the sender's place. */
  readonly granter?: string;
}

/** What is known of a transaction when it has been signed and is about to be sent. */
export interface SignedPlan {
  readonly messages: readonly EncodeObject[];
  readonly sequence: bigint;
  readonly timeoutHeight: bigint;
  readonly fee: TransactionFee;
  /** 1 for the first signature; later ones replace it (see `submit`). */
  readonly attempt: number;
}

export interface SubmitOptions {
  /** Aborted before the signature: nothing is sent. After it the transaction is followed to its outcome. */
  readonly signal?: AbortSignal;
  /**
   * Called after each signature and before anything is sent, awaited: the place to record the hash. What it throws
   * ends `submit` with nothing sent, at the first signature; at later ones it is thrown after the outcome.
   */
  readonly onSigned?: (hash: string, plan: SignedPlan) => void | Promise<void>;
  readonly memo?: string;
  /** Pays the fee. */
  readonly feeGranter?: string;
  /** In place of simulation. */
  readonly gas?: bigint;
}

export interface SubmitResult {
  /** Of the signature that counted; upper-case hexadecimal. */
  readonly hash: string;
  readonly height: bigint;
  /** Place in its block. */
  readonly index: number;
  readonly gasUsed: bigint;
  readonly fee: TransactionFee;
  /** One for each message, in order. */
  readonly responses: readonly MessageResponse[];
  readonly events: readonly ExchangeEvent[];
}

/**
 * Signs and sends for one account, one transaction at a time: calls of `submit` queue up.
 *
 * A transaction is signed again with the same sequence at any time, for only one of them can count; with another
 * sequence only when the committed one has passed the first's and none of the first's is found in the blocks up to
 * there (design: "Two pipelines, one key"). So a lost answer, a full or emptied mempool, a node that restarts and
 * a second program with the same key neither lose a transaction nor make it count twice.
 */
export declare class SigningExchangeClient {
  static connect(
    query: ExchangeQueryClient,
    signer: OfflineDirectSigner,
    options?: SigningClientOptions,
  ): Promise<SigningExchangeClient>;
  readonly address: string;
  readonly query: ExchangeQueryClient;

  /**
   * Resolves when the transaction is in a committed block and succeeded there. Throws TransactionRejected (never got
   * in), TransactionFailed (in a block, failed), InsufficientFunds, TransactionOutcomeUnknown, NetworkUnreachable
   * (before anything was signed), or the signal's reason (nothing was sent).
   */
  submit(messages: readonly EncodeObject[], options?: SubmitOptions): Promise<SubmitResult>;

  /** What `submit` would pay now. Sends nothing and needs no signature. Throws as `submit` does before it signs. */
  estimateFee(
    messages: readonly EncodeObject[],
    options?: CallOptions & { feeGranter?: string },
  ): Promise<TransactionFee>;
}
