import { ExchangeErrorCode } from "@dcx/protocol";
import { getAccount } from "../accounts";
import { messages } from "../testing/messages";
import { addressOf } from "../testing/names";
import { refusal, World } from "../testing/world";

describe("Send", () => {
  test("moves tokens, and makes the account where there is none", () => {
    const exchange = new World({ accounts: { alice: 100n } });
    exchange.transfer("alice", "bob", 30n);
    expect([exchange.balance("alice"), exchange.balance("bob")]).toEqual([70n, 30n]);
    expect(getAccount(exchange.state, addressOf("bob"))).toEqual({
      address: addressOf("bob"),
      accountNumber: 1n,
      sequence: 0n,
      balance: 30n,
    });
    exchange.blocks();
  });

  test("to oneself changes nothing", () => {
    const exchange = new World({ accounts: { alice: 100n } });
    exchange.transfer("alice", "alice", 100n);
    expect(exchange.balance("alice")).toBe(100n);
  });

  test.each([
    ["0", "udcx"],
    ["-1", "udcx"],
    ["1.5", "udcx"],
    ["9223372036854775808", "udcx"],
    ["1", "uatom"],
  ])("refuses %s %s", (amount, denom) => {
    const exchange = new World({ accounts: { alice: 100n } });
    const message = { fromAddress: addressOf("alice"), toAddress: addressOf("bob"), amount: [{ amount, denom }] };
    expect(refusal(() => exchange.run(messages.send, message))).toBe(ExchangeErrorCode.InvalidMessage);
  });

  test("refuses more than the balance", () => {
    const exchange = new World({ accounts: { alice: 100n } });
    expect(refusal(() => exchange.transfer("alice", "bob", 101n))).toBe(ExchangeErrorCode.InsufficientFunds);
  });
});
