import { ExchangeErrorCode, MsgSubmitDeployment, MsgSubmitLease, Parameters } from "@dcx/protocol";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { collectFees, getAccount, putAccount } from "./accounts";
import { Branch } from "./branch";
import { EventList, type GasMeter, UnlimitedGas } from "./context";
import { applyMessage, checkInvariants, initializeGenesis, requiredSigners } from "./machine";
import { MemoryStore } from "./memory-store";
import { defaultParameters } from "./parameters";
import { chainId } from "./testing/genesis";
import { messages } from "./testing/messages";
import { addressOf, bytesOf } from "./testing/names";
import { refusal, terms, World } from "./testing/world";
import { getTotals } from "./totals";

const submission = {
  tenant: addressOf("alice"),
  infrastructures: [terms("west")],
  waitDuration: 0n,
  version: bytesOf("v1"),
  manifestEntries: 1,
  nonce: bytesOf("nonce"),
  clientToken: bytesOf("token"),
  managers: [],
};
const message = {
  typeUrl: messages.submitDeployment.typeUrl,
  value: MsgSubmitDeployment.encode(submission).finish(),
};

function context(gas: GasMeter = new UnlimitedGas()) {
  return { chainId, height: 1n, hash: bytesOf("t"), gas, events: new EventList() };
}

describe("the machine", () => {
  test("charges the same gas on any branch of the same state", () => {
    const exchange = new World({ accounts: { alice: 1n } });
    const charged = [new Branch(exchange.state), new Branch(new Branch(exchange.store))].map((branch) => {
      const one = context();
      applyMessage(branch, one, message, "transaction");
      return one.gas.consumed;
    });
    expect(charged[0]).toBeGreaterThan(5_000n);
    expect(charged[1]).toBe(charged[0]);
  });

  test("stops where the gas meter stops it", () => {
    const exchange = new World({ accounts: { alice: 1n } });
    class Limited extends UnlimitedGas {
      override consume(amount: bigint, what: string): void {
        super.consume(amount, what);
        if (this.consumed > 3_000n) throw new RangeError(`out of gas: ${what}`);
      }
    }
    expect(() => applyMessage(new Branch(exchange.state), context(new Limited()), message, "transaction")).toThrow(
      "out of gas",
    );
  });

  test("emits typed events: the message's full name, each field an attribute with a JSON value", () => {
    const exchange = new World({ accounts: { alice: 1n } });
    const one = context();
    applyMessage(new Branch(exchange.state), one, message, "transaction");
    expect(one.events.events).toEqual([
      {
        type: "dcx.exchange.v1.EventDeploymentChanged",
        attributes: [
          { key: "deployment", value: `{"tenant":"${addressOf("alice")}","sequence":"1"}` },
          { key: "state", value: '"DEPLOYMENT_STATE_ACTIVE"' },
          { key: "revision", value: '"1"' },
          { key: "version", value: `"${Buffer.from(bytesOf("v1")).toString("hex")}"` },
          { key: "by", value: `"${addressOf("alice")}"` },
        ],
      },
      {
        type: "dcx.exchange.v1.EventOrderChanged",
        attributes: [
          {
            key: "order",
            value: `{"tenant":"${addressOf("alice")}","sequence":"1","infrastructure":"west","generation":1}`,
          },
          { key: "state", value: '"ORDER_STATE_OPEN"' },
          { key: "reason", value: '"CLOSE_REASON_UNSPECIFIED"' },
          { key: "region", value: '""' },
        ],
      },
    ]);
  });

  test("names who must sign; nobody can sign a facilitator's message", () => {
    expect(requiredSigners(message)).toEqual([addressOf("alice")]);
    const lease = {
      typeUrl: "/dcx.exchange.v1.MsgSubmitLease",
      value: MsgSubmitLease.encode({ fulfillment: undefined }).finish(),
    };
    expect(refusal(() => requiredSigners(lease))).toBe(ExchangeErrorCode.FacilitatorOnly);
  });

  test("refuses unknown types, malformed bytes, and a transaction's message in the facilitator's part", () => {
    const exchange = new World({ accounts: { alice: 1n } });
    const apply = (one: { typeUrl: string; value: Uint8Array }, origin: "transaction" | "facilitator") =>
      refusal(() => applyMessage(new Branch(exchange.state), context(), one, origin));
    expect(apply({ ...message, typeUrl: "/a.B" }, "transaction")).toBe(ExchangeErrorCode.UnknownMessage);
    expect(apply({ ...message, value: Uint8Array.of(10, 200) }, "transaction")).toBe(ExchangeErrorCode.InvalidMessage);
    expect(apply(message, "facilitator")).toBe(ExchangeErrorCode.FacilitatorOnly);
  });

  test("refuses fields that it does not know, and other encodings of the same message", () => {
    const exchange = new World({ accounts: { alice: 100n } });
    const amount = [{ denom: "udcx", amount: "1" }];
    const value = MsgSend.encode({ fromAddress: addressOf("alice"), toAddress: addressOf("bob"), amount }).finish();
    const typeUrl = "/cosmos.bank.v1beta1.MsgSend";
    const apply = (bytes: Uint8Array) =>
      applyMessage(new Branch(exchange.state), context(), { typeUrl, value: bytes }, "transaction");
    apply(value);
    // Field 15; field 1 before itself, so that it is there twice; the length of field 1 in two bytes; a default written out.
    const unknown = Buffer.concat([value, Uint8Array.of(0x78, 1)]);
    const twice = Buffer.concat([Uint8Array.of(0x0a, 1, 0x41), value]);
    const long = Buffer.concat([Uint8Array.of(0x0a, value[1] ?? 0, 0), value.subarray(2)]);
    long[1] = (long[1] ?? 0) | 0x80;
    const empty = Buffer.concat([Uint8Array.of(0x0a, 0), value]);
    for (const bytes of [unknown, twice, long, empty]) {
      expect(refusal(() => apply(bytes))).toBe(ExchangeErrorCode.InvalidMessage);
      expect(refusal(() => requiredSigners({ typeUrl, value: bytes }))).toBe(ExchangeErrorCode.InvalidMessage);
    }
    expect(MsgSend.decode(long)).toEqual(MsgSend.decode(value));
  });

  test("moves fees into the pool", () => {
    const exchange = new World({ accounts: { alice: 100n } });
    const alice = getAccount(exchange.state, addressOf("alice"));
    if (alice === undefined) throw new Error("genesis made no account");
    putAccount(exchange.state, { ...alice, balance: 70n });
    collectFees(exchange.state, 30n);
    expect(getTotals(exchange.state)).toMatchObject({ balances: 70n, feePool: 30n });
    expect(checkInvariants(exchange.state)).toEqual([]);
  });
});

describe("genesis", () => {
  const genesis = {
    chainId: "dcx-1",
    denomination: "udcx",
    addressPrefix: "dcx",
    parameters: defaultParameters(),
    accounts: [{ address: addressOf("alice"), balance: 5n }],
    validators: [],
  };

  test("starts with the balances as supply, every invariant holding", () => {
    const store = new MemoryStore();
    initializeGenesis(store, genesis);
    expect(getTotals(store)).toMatchObject({ balances: 5n, genesisSupply: 5n, accounts: 1n });
    expect(checkInvariants(store)).toEqual([]);
  });

  test.each([
    ["a chain id with blanks", { chainId: "dcx 1" }],
    ["no parameters", { parameters: undefined }],
    ["a period of none", { parameters: Parameters.fromPartial({ ...defaultParameters(), reconfirmationPeriod: 0n }) }],
    ["an expiry within the wait", { parameters: { ...defaultParameters(), orderExpiry: 1_200n } }],
    ["an account twice", { accounts: [...genesis.accounts, ...genesis.accounts] }],
    ["an address of another chain", { addressPrefix: "cosmos" }],
    [
      "more than the most supply",
      {
        accounts: [
          { address: addressOf("alice"), balance: 2n ** 63n - 1n },
          { address: addressOf("bob"), balance: 1n },
        ],
      },
    ],
  ])("refuses %s", (_what, change) => {
    expect(refusal(() => initializeGenesis(new MemoryStore(), { ...genesis, ...change }))).toBe(
      ExchangeErrorCode.InvalidMessage,
    );
  });
});
