import type { MsgSend, MsgSendResponse } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { credit, debit } from "../accounts";
import { tokensOf } from "../coins";
import type { TransactionContext } from "../context";
import { invalid } from "../errors";
import { transferred } from "../events";
import { getChain } from "../records";
import type { KeyValueStore } from "../store";
import { checkAddress } from "../validation";

/**
 * Moves tokens from one account to another, which is made where there is none: the bank module's message, so wallets
 * can send it.
 *
 * design: "Transactions" (Send).
 * @throws ExchangeError InvalidAddress, InvalidMessage, InsufficientFunds
 *
 * PERF: O(1).
 */
export function send(state: KeyValueStore, context: TransactionContext, message: MsgSend): MsgSendResponse {
  checkAddress(state, message.fromAddress, "from_address");
  checkAddress(state, message.toAddress, "to_address");
  const [coin, ...others] = message.amount;
  if (others.length > 0) throw invalid("amount", "must be one coin");
  const amount = tokensOf(state, coin, "amount");
  debit(state, message.fromAddress, amount, "the transfer");
  credit(state, message.toAddress, amount);
  context.events.emit(transferred(message.fromAddress, message.toAddress, `${amount}${getChain(state).denomination}`));
  return {};
}
