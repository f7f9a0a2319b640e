import type { Parameters } from "@dcx/protocol";
import type { RequestPrepareProposal, RequestProcessProposal } from "cosmjs-types/tendermint/abci/types";
import { ExchangeError } from "../state/errors";
import type { StateDatabase } from "../storage";
import type { DecodedTransactions } from "./decoded-transactions";
import { EnvelopeError } from "./envelope-error";
import { signersOf } from "./execute";
import { facilitatorDifference, refuseFacilitatorTypes } from "./facilitator-part";
import { bytesInBlock, type Candidate, chooseTransactions } from "./proposal";
import type { StateMachine } from "./state-machine";
import { encodeFacilitatorTransaction } from "./transaction";

/** What goes into the block after the committed one, and what may not. */
export class BlockProposals {
  private next: { readonly height: bigint; readonly transactions: readonly Uint8Array[] } | undefined;

  constructor(
    private readonly database: StateDatabase,
    private readonly machine: StateMachine,
    private readonly transactions: DecodedTransactions,
  ) {}

  /** The transactions of a block that this node proposes. */
  choose(request: RequestPrepareProposal, parameters: Parameters): readonly Uint8Array[] {
    const first = this.facilitatorPart(request.height);
    const most = Math.min(Number(request.maxTxBytes), Number(parameters.blockMaxBytes));
    const bytes = most - first.reduce((sum, one) => sum + bytesInBlock(one), 0);
    const candidates = request.txs.flatMap((transaction) => this.candidate(transaction));
    const room = { bytes, gas: parameters.blockMaxGas };
    return [...first, ...chooseTransactions(candidates, room, parameters)];
  }

  /** Why a block that somebody proposes is refused. */
  problemOf(request: RequestProcessProposal, parameters: Parameters): string | undefined {
    const facilitator = this.facilitatorPart(request.height);
    const difference = facilitatorDifference(request.txs, facilitator);
    if (difference !== undefined) return difference;
    let bytes = 0;
    let gas = 0n;
    for (const [index, one] of request.txs.entries()) {
      bytes += bytesInBlock(one);
      if (index < facilitator.length) continue;
      try {
        const transaction = this.transactions.of(one);
        refuseFacilitatorTypes(transaction);
        signersOf(this.machine, transaction.messages);
        gas += transaction.fee?.gasLimit ?? 0n;
      } catch (error) {
        if (!(error instanceof EnvelopeError) && !(error instanceof ExchangeError)) throw error;
        return `transaction ${index}: ${error.message}`;
      }
    }
    if (BigInt(bytes) > parameters.blockMaxBytes) return `${bytes} bytes, the most is ${parameters.blockMaxBytes}`;
    if (gas > parameters.blockMaxGas) return `${gas} gas, the most is ${parameters.blockMaxGas}`;
    return undefined;
  }

  /** A pending transaction as the choice for a block sees it; empty where no block takes it. */
  candidate(bytes: Uint8Array): Candidate[] {
    try {
      const transaction = this.transactions.of(bytes);
      refuseFacilitatorTypes(transaction);
      const sender = signersOf(this.machine, transaction.messages)[0] ?? "";
      const gas = transaction.fee?.gasLimit ?? 0n;
      const confirmation = transaction.messages.every((one) => this.machine.hasReservedPlace(this.database, one));
      return [{ bytes, sender, gas, confirmation }];
    } catch (error) {
      if (error instanceof EnvelopeError || error instanceof ExchangeError) return [];
      throw error;
    }
  }

  /** The facilitator's transactions of the next block: worked out once for proposal and execution. */
  facilitatorPart(height: bigint): readonly Uint8Array[] {
    if (this.next?.height === height) return this.next.transactions;
    const messages = this.machine.facilitatorPart(this.database, height);
    const transactions = messages.map((message) => encodeFacilitatorTransaction(message, height));
    this.next = { height, transactions };
    return transactions;
  }

  /** The state is that of another block now. */
  forget(): void {
    this.next = undefined;
  }
}
