import { createHash } from "node:crypto";
import type { EncodeObject, OfflineDirectSigner, Registry } from "@cosmjs/proto-signing";
import type { SigningStargateClient } from "@cosmjs/stargate";
import { formatDecimal } from "../quantities/decimal";
import { formatTokens } from "../quantities/tokens";
import { FeeRefused } from "./errors";
import type { ExchangeEvent } from "./exchange-events";
import type { CallOptions, CommittedTransaction, ExchangeQueryClient } from "./exchange-query-client";
import { createRegistry, decodeMessageResponse, type MessageResponse } from "./messages";
import { Places } from "./places";
import { RpcTransactionGateway } from "./rpc-transaction-gateway";
import { type SequenceAt, Sequences } from "./sequences";
import { requireAccount, simulatedGas } from "./simulation";
import { deliverTransaction, type SignedTransaction } from "./transaction-delivery";

export interface SigningClientOptions {
  /** Gas limit = simulated gas × this. Default 1.4. */
  readonly gasFactor?: number;
  /**
   * Micro-units for a unit of gas, scaled by 10^18. Default: the exchange's minimum. With a denomination only where
   * that is the chain's.
   */
  readonly gasPrice?: { readonly amount: bigint; readonly denomination?: string | undefined };
  /** Micro-units that a transaction may cost at most. */
  readonly maxFee?: bigint;
  /** Blocks after the current one in which a signed transaction can count. Default 60. */
  readonly timeoutBlocks?: number;
  /** How long a signed transaction is followed while nothing can be learned, in ms. Default 300 000. */
  readonly patience?: number;
  /** Which account of the signer. Default: its first. */
  readonly address?: string;
  /**
   * Most transactions on their way at once, with sequences that follow one another. With more than one, whoever calls
   * sees to it that no transaction depends on another that it has not yet seen committed. Default 1.
   */
  readonly inFlight?: number;
}

export interface TransactionFee {
  /** Micro-units. */
  readonly amount: bigint;
  readonly denomination: string;
  /** Gas limit. */
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
  readonly signal?: AbortSignal | undefined;
  /**
   * Called after each signature and before that is sent, awaited: the place to record the hash. What it throws at
   * the first signature ends `submit` with nothing sent; at a later one it ends with that, and the earlier ones
   * may count.
   */
  readonly onSigned?: ((hash: string, plan: SignedPlan) => void | Promise<void>) | undefined;
  readonly memo?: string;
  /** Pays the fee. */
  readonly feeGranter?: string;
  /** Gas limit, in place of simulation. */
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

const mostAttempts = 20;
const rateScale = 10n ** 18n;

/**
 * Signs and sends for one account, `inFlight` transactions at a time: further calls of `submit` queue up. Two clients
 * with the same key get along, but wait for one another's blocks.
 *
 * A transaction is signed again only when it is certain that the signature before does not count (see
 * `deliverTransaction`; design: "Two pipelines, one key"). So a lost answer, a full or emptied mempool, a node that
 * restarts and a second program with the same key neither lose a transaction nor make it count twice.
 */
export class SigningExchangeClient {
  private readonly places: Places;
  private readonly sequences = new Sequences();
  /** Of the newest block that holds a transaction of ours: an older state must not be taken for the current one. */
  private lastHeight = 0n;

  private constructor(
    readonly query: ExchangeQueryClient,
    readonly address: string,
    private readonly publicKey: Uint8Array,
    private readonly stargate: SigningStargateClient,
    private readonly registry: Registry,
    private readonly options: SigningClientOptions,
  ) {
    this.places = new Places(options.inFlight ?? 1);
  }

  /** Throws when the signer does not hold the account. Asks nothing of the network. */
  static async connect(
    query: ExchangeQueryClient,
    signer: OfflineDirectSigner,
    options: SigningClientOptions = {},
  ): Promise<SigningExchangeClient> {
    const [{ SigningStargateClient }, registry, accounts] = await Promise.all([
      import("@cosmjs/stargate"),
      createRegistry(),
      signer.getAccounts(),
    ]);
    const account = accounts.find(({ address }) => options.address === undefined || address === options.address);
    if (account === undefined) {
      throw new Error(
        `The signer holds ${accounts.map(({ address }) => address).join(", ") || "no account"}, not ${options.address ?? "any"}: ` +
          "configure the key of the account that is to sign.",
      );
    }
    const stargate = await SigningStargateClient.offline(signer, { registry });
    return new SigningExchangeClient(query, account.address, account.pubkey, stargate, registry, options);
  }

  /**
   * Resolves when the transaction is in a committed block and succeeded there. Throws TransactionRejected (never got
   * in), TransactionFailed (in a block, failed), InsufficientFunds, TransactionOutcomeUnknown, NetworkUnreachable (nothing
   * was signed, or nothing that was counts: the node is further behind the chain than `timeoutBlocks`), or the signal's
   * reason (nothing was sent).
   */
  submit(messages: readonly EncodeObject[], options: SubmitOptions = {}): Promise<SubmitResult> {
    return this.places.use(() => this.submitNext(messages, options));
  }

  /**
   * What `submit` would pay now. Sends nothing and needs no signature. Throws FeeRefused where that is more than
   * allowed, and as `submit` does before it signs.
   */
  async estimateFee(
    messages: readonly EncodeObject[],
    options: CallOptions & { readonly feeGranter?: string; readonly memo?: string; readonly gas?: bigint } = {},
  ): Promise<TransactionFee> {
    options.signal?.throwIfAborted();
    const [{ parameters, denomination }, gas] = await Promise.all([
      this.query.parameters({ signal: options.signal }),
      options.gas ?? this.gasLimit(messages, options.memo ?? "", options.feeGranter, options.signal),
    ]);
    const price = this.gasPrice(BigInt(parameters?.minimumGasPrice || "0"), denomination);
    const amount = (gas * price + rateScale - 1n) / rateScale;
    const { maxFee } = this.options;
    if (maxFee !== undefined && amount > maxFee) {
      throw new FeeRefused(
        `This transaction would cost ${formatTokens(amount)} in fees (${gas} gas), and at most ${formatTokens(maxFee)} ` +
          "is allowed: it was not signed. Raise `maxFee`, or lower what makes it dear (`gasPrice`, `gasAdjustment`, " +
          "`gasLimit`).",
      );
    }
    return {
      amount,
      denomination,
      gas,
      ...(options.feeGranter === undefined ? {} : { granter: options.feeGranter }),
    };
  }

  /** Throws FeeRefused where the exchange would take no transaction at the price that was asked for. */
  private gasPrice(least: bigint, denomination: string): bigint {
    const { gasPrice } = this.options;
    if (gasPrice === undefined) return least;
    if (gasPrice.denomination !== undefined && gasPrice.denomination !== denomination) {
      throw new FeeRefused(
        `\`gasPrice\` is in ${gasPrice.denomination}, and fees on ${this.query.chainId} are in ${denomination}.`,
      );
    }
    if (gasPrice.amount < least) {
      const text = (price: bigint): string => `${formatDecimal(price, 18)}${denomination}`;
      throw new FeeRefused(
        `\`gasPrice\` is ${text(gasPrice.amount)}, and ${this.query.chainId} takes no less than ${text(least)}: ` +
          "raise it, or leave it out to pay just that.",
      );
    }
    return gasPrice.amount;
  }

  private async submitNext(messages: readonly EncodeObject[], options: SubmitOptions): Promise<SubmitResult> {
    const { signal } = options;
    signal?.throwIfAborted();
    await this.query.waitForHeight(this.lastHeight, { signal });
    const fee = await this.estimateFee(messages, options);
    const account = await requireAccount(this.query, this.address, { signal });
    const timeoutBlocks = this.options.timeoutBlocks ?? 60;
    const sign = async (at: SequenceAt, attempt: number): Promise<SignedTransaction> => {
      if (attempt === 1) signal?.throwIfAborted();
      const timeoutHeight = at.height + BigInt(timeoutBlocks);
      const bytes = await this.sign(
        messages,
        fee,
        options.memo ?? "",
        account.accountNumber,
        at.sequence,
        timeoutHeight,
      );
      const hash = createHash("sha256").update(bytes).digest("hex").toUpperCase();
      if (attempt === 1) signal?.throwIfAborted();
      await options.onSigned?.(hash, { messages, sequence: at.sequence, timeoutHeight, fee, attempt });
      return { bytes, hash, timeoutHeight };
    };
    const gateway = new RpcTransactionGateway(this.query, account, timeoutBlocks);
    const patience = this.options.patience ?? 300_000;
    const limits = { address: this.address, patience, attempts: mostAttempts };
    const transaction = await deliverTransaction(gateway, sign, limits, this.sequences);
    if (transaction.height > this.lastHeight) this.lastHeight = transaction.height;
    this.query.saw(transaction.height);
    return this.result(transaction, fee);
  }

  private async result(transaction: CommittedTransaction, fee: TransactionFee): Promise<SubmitResult> {
    const { TxMsgData } = await import("cosmjs-types/cosmos/base/abci/v1beta1/abci");
    const { hash, height, index, gasUsed, events } = transaction;
    const responses = TxMsgData.decode(transaction.data).msgResponses.map(({ typeUrl, value }) =>
      decodeMessageResponse(typeUrl, value),
    );
    return { hash, height, index, gasUsed, fee, responses, events };
  }

  private async sign(
    messages: readonly EncodeObject[],
    fee: TransactionFee,
    memo: string,
    accountNumber: bigint,
    sequence: bigint,
    timeoutHeight: bigint,
  ): Promise<Uint8Array> {
    const { TxRaw } = await import("cosmjs-types/cosmos/tx/v1beta1/tx");
    const amount = fee.amount === 0n ? [] : [{ denom: fee.denomination, amount: fee.amount.toString() }];
    const stdFee = { amount, gas: fee.gas.toString(), ...(fee.granter === undefined ? {} : { granter: fee.granter }) };
    const signerData = { accountNumber, sequence: Number(sequence), chainId: this.query.chainId };
    const raw = await this.stargate.sign(this.address, messages, stdFee, memo, signerData, timeoutHeight);
    return TxRaw.encode(raw).finish();
  }

  /** The gas limit that the messages need. Throws what the exchange would refuse them with. */
  private async gasLimit(
    messages: readonly EncodeObject[],
    memo: string,
    feeGranter: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<bigint> {
    const { address, publicKey } = this;
    const simulation = { messages, memo, address, publicKey, feeGranter };
    const used = await simulatedGas(this.query, this.registry, simulation, { signal });
    const thousandths = BigInt(Math.round((this.options.gasFactor ?? 1.4) * 1000));
    return (used * thousandths + 999n) / 1000n;
  }
}
