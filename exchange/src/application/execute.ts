import type { Parameters } from "@dcx/protocol";
import { TxMsgData } from "cosmjs-types/cosmos/base/abci/v1beta1/abci";
import type { Grant } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import { ExecTxResult, type Event as WireEvent } from "cosmjs-types/tendermint/abci/types";
import { encode } from "../encode";
import { getAccount, putAccount } from "../state/accounts";
import { Branch } from "../state/branch";
import { type Event, EventList, UnlimitedGas } from "../state/context";
import { ExchangeError } from "../state/errors";
import { feeGrantChanged } from "../state/events";
import { type FeeGrantId, feeGrants, spendGrant } from "../state/fee-grants";
import type { KeyValueReader, KeyValueStore } from "../state/store";
import { StorageError } from "../storage/storage-error";
import {
  type AuthenticatedSigner,
  authenticate,
  recordSigners,
  type SignatureCache,
  type SignatureCheck,
} from "./authenticate";
import { EnvelopeError, EnvelopeErrorCode, envelopeCodespace } from "./envelope-error";
import { type OfferedFee, offeredFee } from "./fees";
import { gasCosts, LimitedGas } from "./gas";
import type { StateMachine } from "./state-machine";
import type { EncodedMessage, Transaction } from "./transaction";

/** What stays the same for all transactions of a block. */
export interface Surroundings {
  readonly machine: StateMachine;
  readonly chainId: string;
  readonly denomination: string;
  readonly parameters: Parameters;
  readonly signatures: SignatureCache;
  /** Of the block that is being executed, or, outside of one, of the next. */
  readonly height: bigint;
  /** Told of exceptions that no rule foresees: defects. */
  readonly onDefect: (error: unknown, transaction: Transaction) => void;
}

/** The most characters of a memo. */
const mostMemoBytes = 512;
/** The most messages of a transaction. */
const mostMessages = 100;
/** The most accounts that sign a transaction: the SDK's figure. Each signature is checked before anybody has paid. */
const mostSigners = 7;

interface Refusal {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
}

/** A transaction whose envelope is in order. */
export interface Admitted {
  readonly addresses: readonly string[];
  readonly signers: readonly AuthenticatedSigner[];
  readonly fee: OfferedFee;
  /** By which another account pays that. */
  readonly grant: UsedGrant | undefined;
}

interface UsedGrant {
  readonly id: FeeGrantId;
  /** Absent: it is used up. */
  readonly after: Grant | undefined;
}

/**
 * Checks the envelope: who signs, that they did, what they pay. Changes nothing.
 * @throws EnvelopeError or ExchangeError: the first thing that is wrong
 */
export function admit(
  store: KeyValueReader,
  transaction: Transaction,
  around: Surroundings,
  check: SignatureCheck,
): Admitted {
  checkLimits(transaction, around.height);
  const addresses = signersOf(around.machine, transaction.messages);
  const fee = offeredFee(transaction, around.parameters, around.denomination);
  const payer = transaction.fee?.payer ?? "";
  if (payer !== "" && payer !== addresses[0]) {
    throw new EnvelopeError(EnvelopeErrorCode.NotSupported, "the fee's payer must be the first signer");
  }
  const signers = authenticate(store, around.chainId, transaction, addresses, check, around.signatures);
  const granter = granterOf(transaction, addresses);
  const grant =
    granter === undefined ? undefined : useGrant(store, transaction, granter, addresses[0] ?? "", fee.amount);
  const funds = (granter === undefined ? signers[0]?.account.balance : getAccount(store, granter)?.balance) ?? 0n;
  if (funds < fee.amount) {
    throw new EnvelopeError(
      EnvelopeErrorCode.InsufficientFunds,
      `insufficient funds: ${granter ?? addresses[0]} has ${funds}${around.denomination}, the fee is ${fee.amount}${around.denomination}`,
    );
  }
  return { addresses, signers, fee, grant };
}

/** Who pays in the first signer's place. */
function granterOf(transaction: Transaction, addresses: readonly string[]): string | undefined {
  const granter = transaction.fee?.granter ?? "";
  return granter === "" || granter === addresses[0] ? undefined : granter;
}

/** @throws EnvelopeError where the granter has not granted that */
function useGrant(
  store: KeyValueReader,
  transaction: Transaction,
  granter: string,
  grantee: string,
  amount: bigint,
): UsedGrant {
  const id = { granter, grantee };
  // What can stand in no key is in none.
  const grant = /^[a-z0-9]{1,128}$/.test(granter) ? feeGrants.get(store, id) : undefined;
  if (grant === undefined) {
    throw new EnvelopeError(
      EnvelopeErrorCode.Unauthorized,
      `${granter} does not allow to pay fees for ${grantee}: fee-grant not found`,
    );
  }
  try {
    const messages = transaction.messages.map(({ typeUrl }) => typeUrl);
    return { id, after: spendGrant(store, grant, amount, messages) };
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    throw new EnvelopeError(EnvelopeErrorCode.Unauthorized, error.message, { cause: error });
  }
}

/**
 * Takes the fee, raises the sequences, keeps the keys of those that sign for the first time. What the messages do after
 * it can fail; this stays. The sums over all accounts are left to the end of the block (`collectFees`).
 */
export function settleEnvelope(store: KeyValueStore, admitted: Admitted): void {
  for (const [index, { account, publicKey }] of admitted.signers.entries()) {
    const { address, accountNumber } = account;
    const pays = index === 0 && admitted.grant === undefined;
    const balance = pays ? account.balance - admitted.fee.amount : account.balance;
    putAccount(store, { address, accountNumber, publicKey, balance, sequence: account.sequence + 1n });
  }
  if (admitted.grant !== undefined) settleGrant(store, admitted.grant, admitted.fee.amount);
}

/** After the signers, of whom the granter may be one. */
function settleGrant(store: KeyValueStore, { id, after }: UsedGrant, amount: bigint): void {
  const granter = getAccount(store, id.granter);
  if (granter !== undefined) putAccount(store, { ...granter, balance: granter.balance - amount });
  if (after === undefined) feeGrants.delete(store, id);
  else feeGrants.put(store, id, after);
}

/** What a transaction did, and what was taken for it whether it succeeded or not. */
export interface Executed {
  readonly result: ExecTxResult;
  /** Micro-units. */
  readonly fee: bigint;
}

/** Executes a signed transaction in a block. Nothing of a transaction whose envelope is refused is kept. */
export function executeTransaction(store: KeyValueStore, transaction: Transaction, around: Surroundings): Executed {
  let admitted: Admitted;
  try {
    admitted = admit(store, transaction, around, "signature");
  } catch (error) {
    return { result: refused(refusalOf(error, transaction, around), transaction, 0n), fee: 0n };
  }
  settleEnvelope(store, admitted);
  const fee = admitted.fee.amount;
  const gas = new LimitedGas(admitted.fee.gasLimit);
  const events = envelopeEvents(transaction, admitted, around.denomination);
  const branch = new Branch(store);
  try {
    chargeEnvelope(gas, transaction);
    const { data, events: own } = runMessages(branch, transaction, gas, around);
    branch.write(store);
    for (const event of own) events.push(wireEvent(event));
    const result = { ...succeeded, data, gasWanted: gas.limit, gasUsed: gas.consumed, events };
    return { result, fee };
  } catch (error) {
    return { result: { ...refused(refusalOf(error, transaction, around), transaction, gas.consumed), events }, fee };
  }
}

const succeeded = { code: 0, log: "", info: "", codespace: "" };

/** Executes a transaction of the facilitator's part: nobody signs it, and nobody pays. */
export function executeFacilitator(store: KeyValueStore, transaction: Transaction, around: Surroundings): ExecTxResult {
  const branch = new Branch(store);
  const events = new EventList();
  const gas = new UnlimitedGas();
  try {
    const responses = transaction.messages.map((message) => {
      const context = { chainId: around.chainId, height: around.height, hash: transaction.hash, gas, events };
      return responseOf(message, around.machine.applyMessage(branch, context, message, "facilitator").response);
    });
    branch.write(store);
    const data = encode(TxMsgData, { data: [], msgResponses: responses });
    return ExecTxResult.fromPartial({ data, events: events.events.map(wireEvent) });
  } catch (error) {
    return refused(refusalOf(error, transaction, around), transaction, 0n);
  }
}

/** Runs a transaction without signatures and fee, and says what gas it takes: exactly what a block would charge. */
export function simulate(
  store: KeyValueReader,
  transaction: Transaction,
  around: Surroundings,
): { readonly gasUsed: bigint; readonly data: Uint8Array; readonly events: WireEvent[] } {
  checkLimits(transaction, around.height);
  const branch = new Branch(store);
  const addresses = signersOf(around.machine, transaction.messages);
  const signers = authenticate(branch, around.chainId, transaction, addresses, "key", around.signatures);
  recordSigners(branch, addresses, signers);
  const gas = new LimitedGas(around.parameters.blockMaxGas);
  chargeEnvelope(gas, transaction);
  const outcome = runMessages(branch, transaction, gas, around);
  return { gasUsed: gas.consumed, data: outcome.data, events: outcome.events.map(wireEvent) };
}

// A transaction is looked at when it arrives, when it is rechecked, chosen and executed: its signers are the same.
const knownSigners = new WeakMap<readonly EncodedMessage[], readonly string[]>();

/**
 * The addresses that must sign, each once, in the order of the messages that name them.
 * @throws EnvelopeError where they are none, or too many
 */
export function signersOf(machine: StateMachine, messages: readonly EncodedMessage[]): readonly string[] {
  const known = knownSigners.get(messages);
  if (known !== undefined) return known;
  const addresses = new Set<string>();
  for (const message of messages) for (const address of machine.requiredSigners(message)) addresses.add(address);
  if (addresses.size === 0) {
    throw new EnvelopeError(EnvelopeErrorCode.NoSignatures, "nobody signs these messages: facilitators make them");
  }
  if (addresses.size > mostSigners) {
    throw new EnvelopeError(
      EnvelopeErrorCode.TooManySignatures,
      `signatures: ${addresses.size}, limit: ${mostSigners}: maximum number of signatures exceeded`,
    );
  }
  const signers = [...addresses];
  knownSigners.set(messages, signers);
  return signers;
}

/** Turns what was thrown into a result. Errors of the storage and of the engine are no transaction's: they go on. */
export function refusalOf(error: unknown, transaction: Transaction, around: Surroundings): Refusal {
  if (error instanceof ExchangeError || error instanceof EnvelopeError) {
    return { code: error.code, codespace: error.codespace, log: error.message };
  }
  // What depends on the machine must not become part of a block's results: the stack and the memory are the machine's.
  if (error instanceof StorageError || error instanceof RangeError) throw error;
  around.onDefect(error, transaction);
  return {
    code: EnvelopeErrorCode.Internal,
    codespace: envelopeCodespace,
    log: "internal error: the transaction met a defect of this exchange; its operators find it in their logs",
  };
}

function checkLimits(transaction: Transaction, height: bigint): void {
  if (transaction.messages.length === 0 || transaction.messages.length > mostMessages) {
    throw new EnvelopeError(
      EnvelopeErrorCode.InvalidRequest,
      `${transaction.messages.length} messages: a transaction has 1 to ${mostMessages}`,
    );
  }
  const memoBytes = Buffer.byteLength(transaction.memo);
  if (memoBytes > mostMemoBytes) {
    throw new EnvelopeError(
      EnvelopeErrorCode.MemoTooLarge,
      `maximum number of bytes is ${mostMemoBytes} but received ${memoBytes} bytes: memo too large`,
    );
  }
  if (transaction.timeoutHeight !== 0n && height > transaction.timeoutHeight) {
    throw new EnvelopeError(
      EnvelopeErrorCode.TimeoutHeight,
      `block height: ${height}, timeout height: ${transaction.timeoutHeight}: tx timeout height`,
    );
  }
}

// Only what a simulation has too is charged for, so that both charge the same: the messages and the memo, and a fixed
// amount for each signer with its key and signature.
function chargeEnvelope(gas: LimitedGas, transaction: Transaction): void {
  let bytes = Buffer.byteLength(transaction.memo);
  for (const message of transaction.messages) bytes += message.typeUrl.length + message.value.length;
  gas.consume(BigInt(bytes) * gasCosts.perByte, "txSize");
  gas.consume(BigInt(transaction.signers.length) * gasCosts.perSigner, "signatures");
  if ((transaction.fee?.granter ?? "") !== "") gas.consume(gasCosts.feeGrant, "fee grant");
}

function runMessages(
  branch: KeyValueStore,
  transaction: Transaction,
  gas: LimitedGas,
  around: Surroundings,
): { readonly data: Uint8Array; readonly events: readonly Event[] } {
  const events = new EventList();
  const context = { chainId: around.chainId, height: around.height, hash: transaction.hash, gas, events };
  const responses = transaction.messages.map((message, index) => {
    try {
      return responseOf(message, around.machine.applyMessage(branch, context, message, "transaction").response);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      throw new ExchangeError(error.code, `failed to execute message; message index: ${index}: ${error.message}`);
    }
  });
  return {
    data: encode(TxMsgData, { data: [], msgResponses: responses }),
    events: events.events,
  };
}

function responseOf(message: EncodedMessage, value: Uint8Array): EncodedMessage {
  return { typeUrl: `${message.typeUrl}Response`, value };
}

/** The events by which Cosmos clients and explorers find a transaction by its sender. */
function envelopeEvents(transaction: Transaction, admitted: Admitted, denomination: string): WireEvent[] {
  const sender = admitted.addresses[0] ?? "";
  const fee = `${admitted.fee.amount}${denomination}`;
  return [
    wireEvent({
      type: "tx",
      attributes: [
        { key: "fee", value: fee },
        { key: "fee_payer", value: admitted.grant?.id.granter ?? sender },
        { key: "acc_seq", value: `${sender}/${admitted.signers[0]?.account.sequence}` },
      ],
    }),
    ...(admitted.grant === undefined ? [] : [wireEvent(feeGrantChanged("use_feegrant", admitted.grant.id))]),
    ...transaction.messages.map((message) =>
      wireEvent({
        type: "message",
        attributes: [
          { key: "action", value: message.typeUrl },
          { key: "sender", value: sender },
        ],
      }),
    ),
  ];
}

export function wireEvent(event: Event): WireEvent {
  return {
    type: event.type,
    attributes: event.attributes.map(({ key, value }) => ({ key, value, index: true })),
  };
}

function refused(refusal: Refusal, transaction: Transaction, gasUsed: bigint): ExecTxResult {
  return ExecTxResult.fromPartial({ ...refusal, gasWanted: transaction.fee?.gasLimit ?? 0n, gasUsed });
}
