import {
  CloseReason,
  ExchangeErrorCode,
  FulfillmentState,
  LeaseState,
  MsgSubmitLease,
  OrderState,
} from "@dcx/protocol";
import { Branch } from "../branch";
import { EventList, UnlimitedGas } from "../context";
import { applyMessage } from "../machine";
import { datacenters } from "../records";
import { chainId } from "../testing/genesis";
import { addressOf, bytesOf } from "../testing/names";
import { nextGeneration, orderOf, refusal, terms, World } from "../testing/world";

function world(tenant = 10_000n): World {
  return new World({
    accounts: { alice: tenant },
    datacenters: {
      sierra: { region: "us-west", attributes: [{ key: "tier", value: "1" }] },
      tidewater: { region: "us-east" },
      umbra: { region: "us-west" },
    },
  });
}

describe("SubmitLease", () => {
  test("comes when the wait is over, and takes the cheapest; of equals the earliest", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")], { waitDuration: 3n }), "west");
    exchange.bid("sierra", order, 8n);
    exchange.bid("tidewater", order, 5n);
    exchange.bid("umbra", order, 5n);
    expect(exchange.blocks(2)).toEqual([]);
    expect(exchange.blocks(1)).toEqual(["SubmitLease"]);
    expect(exchange.leaseOf(order)).toMatchObject({
      datacenter: addressOf("tidewater"),
      startHeight: 4n,
      deposit: 50n,
    });
    expect(exchange.order(order)?.state).toBe(OrderState.MATCHED);
    for (const index of [1, 3]) expect(exchange.fulfillment(order, index)?.state).toBe(FulfillmentState.LOST);
    expect([exchange.balance("sierra"), exchange.balance("tidewater"), exchange.balance("umbra")]).toEqual([
      100_000n,
      99_000n,
      100_000n,
    ]);
  });

  test("comes in the block after a first bid on an order that has waited", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")]), "west");
    exchange.blocks(5);
    exchange.bid("sierra", order);
    expect(exchange.blocks()).toEqual(["SubmitLease"]);
  });

  test("freezes region, attributes and period", () => {
    const exchange = world();
    const order = exchange.lease("alice", "sierra");
    expect(exchange.leaseOf(order)).toMatchObject({
      region: "us-west",
      attributes: [{ key: "tier", value: "1" }],
      reconfirmationPeriod: 10n,
      collateral: 1_000n,
    });
  });

  test("passes over a datacenter whose record no longer meets the terms: the next cheapest comes a block later", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west", { region: "us-west" })]), "west");
    exchange.bid("sierra", order, 3n);
    exchange.bid("umbra", order, 4n);
    const moved = datacenters.need(exchange.state, addressOf("sierra"));
    datacenters.put(exchange.state, addressOf("sierra"), { ...moved, region: "us-north" });
    exchange.blocks();
    expect(exchange.leaseOf(order)).toBeUndefined();
    expect(exchange.fulfillment(order, 1)?.state).toBe(FulfillmentState.LOST);
    exchange.blocks();
    expect(exchange.leaseOf(order)?.datacenter).toBe(addressOf("umbra"));
  });

  test("unfunded: a successor's order closes, the lease that it was to replace stays", () => {
    const exchange = world(100n);
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
    exchange.bid("tidewater", nextGeneration(lease));
    exchange.blocks();
    expect(exchange.order(nextGeneration(lease))?.closeReason).toBe(CloseReason.UNFUNDED);
    expect(exchange.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
  });

  function submit(
    exchange: World,
    order: ReturnType<typeof orderOf>,
    index: number,
    origin: "transaction" | "facilitator",
  ) {
    const context = {
      chainId,
      height: exchange.height,
      hash: bytesOf("t"),
      gas: new UnlimitedGas(),
      events: new EventList(),
    };
    const value = MsgSubmitLease.encode({ fulfillment: { order, index } }).finish();
    const message = { typeUrl: "/dcx.exchange.v1.MsgSubmitLease", value };
    return applyMessage(new Branch(exchange.state), context, message, origin);
  }

  test("is refused from everybody but the facilitator's part, before its time, and for any but the cheapest", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")], { waitDuration: 1n }), "west");
    exchange.bid("sierra", order, 8n);
    exchange.bid("umbra", order, 5n);
    expect(refusal(() => submit(exchange, order, 2, "transaction"))).toBe(ExchangeErrorCode.FacilitatorOnly);
    expect(refusal(() => submit(exchange, order, 2, "facilitator"))).toBe(ExchangeErrorCode.OrderWaiting);
    exchange.height += 1n;
    expect(refusal(() => submit(exchange, order, 1, "facilitator"))).toBe(ExchangeErrorCode.NotCheapest);
    expect(submit(exchange, order, 2, "facilitator").response).toHaveLength(0);
  });
});
