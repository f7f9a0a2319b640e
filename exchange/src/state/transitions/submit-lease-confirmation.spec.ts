import { CloseReason, ConfirmationOutcome, ExchangeErrorCode, LeaseState, OrderState } from "@dcx/protocol";
import { messages } from "../testing/messages";
import { addressOf, bytesOf } from "../testing/names";
import { nextGeneration, refusal, terms, World } from "../testing/world";

function world(tenant = 10_000n): World {
  return new World({
    accounts: { alice: tenant },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

describe("SubmitLeaseConfirmation", () => {
  test("counts up to a period since the last, and not a block more", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.blocks(10);
    expect(exchange.confirm("sierra", lease)).toMatchObject({ outcome: ConfirmationOutcome.CONFIRMED, rent: 100n });
    exchange.blocks(10);
    exchange.height += 1n;
    expect(exchange.confirm("sierra", lease)).toEqual({
      outcome: ConfirmationOutcome.TOO_LATE,
      rent: 0n,
      interest: 0n,
    });
  });

  test("keeps the version that serves there", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.confirm("sierra", lease, "v1");
    expect(exchange.leaseOf(lease)?.confirmedVersion).toEqual(bytesOf("v1"));
    expect(exchange.events.at(-1)?.type).toBe("dcx.exchange.v1.EventLeaseChanged");
  });

  test("has an outcome for each of many leases", () => {
    const exchange = world();
    const first = exchange.lease("alice", "sierra", terms("a"));
    const second = exchange.lease("alice", "tidewater", terms("b"));
    exchange.blocks(2);
    const confirmations = [first, second, nextGeneration(first), first].map((lease) => ({
      lease,
      version: new Uint8Array(0),
    }));
    const { results } = exchange.run(messages.confirm, { datacenter: addressOf("sierra"), confirmations });
    expect(results.map((result) => result.outcome)).toEqual([
      ConfirmationOutcome.CONFIRMED,
      ConfirmationOutcome.NOT_ACTIVE,
      ConfirmationOutcome.NOT_ACTIVE,
      ConfirmationOutcome.CONFIRMED,
    ]);
    expect(results[3]?.rent).toBe(0n);
  });

  test("refuses none, and more than the most", () => {
    const exchange = world();
    const datacenter = addressOf("sierra");
    const lease = exchange.lease("alice", "sierra");
    expect(refusal(() => exchange.run(messages.confirm, { datacenter, confirmations: [] }))).toBe(
      ExchangeErrorCode.InvalidMessage,
    );
    const confirmations = Array.from({ length: 101 }, () => ({ lease, version: new Uint8Array(0) }));
    expect(refusal(() => exchange.run(messages.confirm, { datacenter, confirmations }))).toBe(
      ExchangeErrorCode.LimitExceeded,
    );
  });

  test("without funds closes the order that was to replace the lease too", () => {
    const exchange = world(100n);
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
    exchange.blocks();
    expect(exchange.confirm("sierra", lease).outcome).toBe(ConfirmationOutcome.INSUFFICIENT_FUNDS);
    expect(exchange.order(nextGeneration(lease))).toMatchObject({
      state: OrderState.CLOSED,
      closeReason: CloseReason.INSUFFICIENT_FUNDS,
    });
  });

  test("without funds leaves a running successor in place", () => {
    const exchange = world(220n);
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
    const successor = nextGeneration(lease);
    exchange.bid("tidewater", successor);
    exchange.blocks();
    exchange.blocks(3);
    expect(exchange.confirm("sierra", lease).outcome).toBe(ConfirmationOutcome.INSUFFICIENT_FUNDS);
    expect(exchange.leaseOf(successor)).toMatchObject({ state: LeaseState.ACTIVE, replacesGeneration: 0 });
  });
});
