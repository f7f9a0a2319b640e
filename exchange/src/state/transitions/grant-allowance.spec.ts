import { ExchangeErrorCode } from "@dcx/protocol";
import { AllowedMsgAllowance, BasicAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import { getAccount } from "../accounts";
import { feeGrants, readAllowance, spendGrant } from "../fee-grants";
import { messages } from "../testing/messages";
import { addressOf } from "../testing/names";
import { refusal, World } from "../testing/world";

const basicType = "/cosmos.feegrant.v1beta1.BasicAllowance";
const allowedType = "/cosmos.feegrant.v1beta1.AllowedMsgAllowance";
const send = "/cosmos.bank.v1beta1.MsgSend";
const coins = (amount: string, denom = "udcx") => [{ amount, denom }];
const basic = (fields: Partial<BasicAllowance>) => ({
  typeUrl: basicType,
  value: BasicAllowance.encode({ spendLimit: [], ...fields }).finish(),
});
const allowed = (allowedMessages: string[], limit = "100") => ({
  typeUrl: allowedType,
  value: AllowedMsgAllowance.encode({ allowance: basic({ spendLimit: coins(limit) }), allowedMessages }).finish(),
});

const world = () => new World({ accounts: { alice: 100n, bob: 5n } });
const id = { granter: addressOf("alice"), grantee: addressOf("bob") };
const grant = (exchange: World, allowance: { typeUrl: string; value: Uint8Array }) =>
  exchange.run(messages.grantAllowance, { ...id, allowance });

describe("GrantAllowance", () => {
  test("is kept, makes the grantee's account where there is none, and moves no token", () => {
    const exchange = world();
    exchange.grantFees("alice", "carol", 30n);
    expect(getAccount(exchange.state, addressOf("carol"))).toMatchObject({ sequence: 0n, balance: 0n });
    expect(exchange.balance("alice")).toBe(100n);
    expect(refusal(() => exchange.grantFees("alice", "carol"))).toBe(ExchangeErrorCode.FeeGrantExists);
    exchange.blocks();
  });

  test.each([
    ["to oneself", { ...id, grantee: id.granter, allowance: basic({}) }],
    ["nothing", id],
    [
      "of another kind",
      { ...id, allowance: { typeUrl: "/cosmos.feegrant.v1beta1.PeriodicAllowance", value: new Uint8Array() } },
    ],
    ["of another token", { ...id, allowance: basic({ spendLimit: coins("1", "uatom") }) }],
    ["of no amount", { ...id, allowance: basic({ spendLimit: coins("0") }) }],
    ["with an end", { ...id, allowance: basic({ expiration: { seconds: 1n, nanos: 0 } }) }],
    ["for no message", { ...id, allowance: allowed([]) }],
    ["that is not canonical", { ...id, allowance: { typeUrl: basicType, value: Uint8Array.of(0x18, 1) } }],
  ])("refuses one %s", (_, message) => {
    expect(refusal(() => world().run(messages.grantAllowance, message))).toBe(ExchangeErrorCode.InvalidMessage);
  });
});

describe("what a grant pays", () => {
  test("is taken off its limit, and the grant ends with it", () => {
    const exchange = world();
    grant(exchange, allowed([send]));
    const first = feeGrants.need(exchange.state, id);
    const second = spendGrant(exchange.state, first, 60n, [send]);
    expect(readAllowance(exchange.state, second?.allowance)).toEqual({ limit: 40n, messages: [send] });
    if (second === undefined) throw new Error("it has 40 left");
    expect(refusal(() => spendGrant(exchange.state, second, 41n, [send]))).toBe(ExchangeErrorCode.Unauthorized);
    expect(spendGrant(exchange.state, second, 40n, [send])).toBeUndefined();
  });

  test("is for its messages alone", () => {
    const exchange = world();
    grant(exchange, allowed([send]));
    const made = feeGrants.need(exchange.state, id);
    expect(refusal(() => spendGrant(exchange.state, made, 1n, [send, "/other"]))).toBe(ExchangeErrorCode.Unauthorized);
  });

  test("has no end without a limit", () => {
    const exchange = world();
    grant(exchange, basic({}));
    const made = feeGrants.need(exchange.state, id);
    expect(spendGrant(exchange.state, made, 10n ** 18n, ["/any"])).toBe(made);
  });
});

describe("RevokeAllowance", () => {
  test("ends a grant, and refuses what there is not", () => {
    const exchange = world();
    exchange.grantFees("alice", "bob");
    exchange.revokeFees("alice", "bob");
    expect(feeGrants.get(exchange.state, id)).toBeUndefined();
    expect(refusal(() => exchange.revokeFees("alice", "bob"))).toBe(ExchangeErrorCode.FeeGrantNotFound);
    exchange.grantFees("alice", "bob");
  });
});
