import { CloseReason, OrderState } from "@dcx/protocol";
import { nextGeneration, orderOf, terms, World } from "./testing/world";
import { nextTimerHeight } from "./timers";

function world(parameters = {}): World {
  return new World({
    parameters,
    accounts: { alice: 1_000_000n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

describe("the beginning of a block", () => {
  test("expires an order without a match, and returns what was posted on it", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")]), "west");
    expect(nextTimerHeight(exchange.state)).toBe(51n);
    exchange.until(50n);
    expect(exchange.order(order)?.state).toBe(OrderState.OPEN);
    exchange.until(51n);
    expect(exchange.order(order)).toMatchObject({ state: OrderState.CLOSED, closeReason: CloseReason.EXPIRED });
  });

  test("prunes what is closed after a while, the cancelled deployment too, and uses no id again", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra", terms("west"));
    exchange.closeLease("alice", lease);
    const closed = exchange.height;
    exchange.until(closed + 39n);
    expect(exchange.leaseOf(lease)).toBeDefined();
    exchange.until(closed + 40n);
    expect([exchange.leaseOf(lease), exchange.order(lease), exchange.fulfillment(lease)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    exchange.update("alice", lease, { infrastructures: [terms("west")] });
    expect(exchange.order(nextGeneration(lease))?.state).toBe(OrderState.OPEN);
    exchange.cancel("alice", lease);
    exchange.blocks(40);
    expect(() => exchange.deployment(lease)).toThrow("deployment is missing");
  });

  test("does a bounded number of things in one block, and the rest in the next ones", () => {
    const exchange = world({ maxInfrastructures: 700, orderExpiry: 12n });
    const names = Array.from({ length: 600 }, (_, index) => `i${index}`);
    exchange.deploy(
      "alice",
      names.map((name) => terms(name)),
    );
    const closed = () => exchange.events.filter((event) => JSON.stringify(event).includes("EXPIRED")).length;
    exchange.until(13n);
    expect(closed()).toBe(500);
    exchange.blocks();
    expect(closed()).toBe(600);
  });
});
