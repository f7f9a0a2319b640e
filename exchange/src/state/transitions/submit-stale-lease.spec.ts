import { CloseReason, ExchangeErrorCode, LeaseState, MsgSubmitStaleLease, OrderState } from "@dcx/protocol";
import { Branch } from "../branch";
import { EventList, UnlimitedGas } from "../context";
import { applyMessage } from "../machine";
import { chainId } from "../testing/genesis";
import { bytesOf } from "../testing/names";
import { nextGeneration, refusal, terms, World } from "../testing/world";

function world(): World {
  return new World({
    accounts: { alice: 10_000n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

describe("SubmitStaleLease", () => {
  test("breaks the lease in the first block after its period, and with persist opens an order", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.blocks(11);
    expect(exchange.leaseOf(lease)).toMatchObject({ state: LeaseState.BROKEN, closeReason: CloseReason.STALE });
    expect(exchange.order(nextGeneration(lease))?.state).toBe(OrderState.OPEN);
  });

  test("without persist opens nothing", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra", terms("west"));
    exchange.blocks(11);
    expect(exchange.order(nextGeneration(lease))).toBeUndefined();
  });

  test("excludes the datacenter from an order on which it has offered already", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.blocks(3);
    exchange.update("alice", lease, {
      infrastructures: [terms("west", { memory: 2048n, persist: true })],
      waitDuration: { blocks: 10n },
    });
    const order = nextGeneration(lease);
    exchange.bid("sierra", order, 1n);
    exchange.bid("tidewater", order, 9n);
    exchange.blocks(8);
    expect(exchange.leaseOf(lease)?.state).toBe(LeaseState.BROKEN);
    // Due two blocks later; in the first of them the cheapest is passed over.
    exchange.blocks(3);
    expect(exchange.leaseOf(order)?.fulfillmentIndex).toBe(2);
  });

  test("is refused while the lease is within its period", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.blocks(10);
    const context = {
      chainId,
      height: exchange.height,
      hash: bytesOf("t"),
      gas: new UnlimitedGas(),
      events: new EventList(),
    };
    const value = MsgSubmitStaleLease.encode({ lease }).finish();
    const message = { typeUrl: "/dcx.exchange.v1.MsgSubmitStaleLease", value };
    const apply = () => applyMessage(new Branch(exchange.state), context, message, "facilitator");
    expect(refusal(apply)).toBe(ExchangeErrorCode.LeaseNotStale);
  });

  test("a lease that its tenant closes when it is stale already breaks, whoever comes first", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.blocks(10);
    exchange.height += 1n;
    exchange.closeLease("alice", lease);
    expect(exchange.leaseOf(lease)).toMatchObject({ state: LeaseState.BROKEN, closeReason: CloseReason.STALE });
    expect(exchange.balance("alice")).toBe(11_000n);
  });
});
