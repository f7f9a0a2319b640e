import type { MsgSend, MsgSendResponse } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { credit, debit } from "../accounts";
import type { TransactionContext } from "../context";
import { invalid } from "../errors";
import { transferred } from "../events";
import { maxSupply } from "../quantities";
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
  const { denomination } = getChain(state);
  const [coin, ...others] = message.amount;
  if (coin === undefined || others.length > 0) throw invalid("amount", "must be one coin");
  if (coin.denom !== denomination) throw invalid("amount", `this chain's token is ${denomination}, not ${coin.denom}`);
  if (!/^[1-9][0-9]{0,18}$/.test(coin.amount) || BigInt(coin.amount) > maxSupply)
    throw invalid("amount", `must be 1 to ${maxSupply} ${denomination}`);
  const amount = BigInt(coin.amount);
  debit(state, message.fromAddress, amount, "the transfer");
  credit(state, message.toAddress, amount);
  context.events.emit(transferred(message.fromAddress, message.toAddress, `${amount}${denomination}`));
  return {};
}
