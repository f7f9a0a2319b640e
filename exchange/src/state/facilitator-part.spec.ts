import { MsgSubmitLease, MsgSubmitStaleLease } from "@dcx/protocol";
import { facilitatorMessageBytes, facilitatorPart, nextFacilitatorHeight } from "./facilitator-part";
import type { KeyValueReader, RangeOptions } from "./store";
import { addressOf } from "./testing/names";
import { orderOf, terms, World } from "./testing/world";

function world(parameters = {}): World {
  return new World({ parameters, accounts: { alice: 1_000_000n }, datacenters: { sierra: { region: "us-west" } } });
}

/** Counts what is read. */
class Watched implements KeyValueReader {
  reads = 0;
  constructor(readonly store: KeyValueReader) {}
  get(key: string): Uint8Array | undefined {
    this.reads += 1;
    return this.store.get(key);
  }
  *range(start: string, end: string, options?: RangeOptions): Generator<readonly [string, Uint8Array]> {
    for (const entry of this.store.range(start, end, options)) {
      this.reads += 1;
      yield entry;
    }
  }
}

describe("the facilitator's part", () => {
  test("is ordered by due height, then id", () => {
    const exchange = world();
    const stale = exchange.lease("alice", "sierra", terms("a"));
    const waiting = exchange.deploy("alice", [terms("z"), terms("y")], { waitDuration: 10n });
    exchange.blocks();
    const late = exchange.deploy("alice", [terms("b")], { waitDuration: 10n });
    for (const order of [orderOf(late, "b"), orderOf(waiting, "z"), orderOf(waiting, "y")])
      exchange.bid("sierra", order);
    exchange.until(11n);
    // Nothing is due yet in the block of height 11; looking ahead, all of it is.
    expect(nextFacilitatorHeight(exchange.store)).toBe(12n);
    const part = facilitatorPart(exchange.store, 20n).map(({ typeUrl, value }) =>
      typeUrl.endsWith("MsgSubmitLease")
        ? MsgSubmitLease.decode(value).fulfillment?.order?.infrastructure
        : MsgSubmitStaleLease.decode(value).lease?.infrastructure,
    );
    // Deployment 1 comes before deployment 3 at height 13.
    expect(part).toEqual(["y", "z", stale.infrastructure, "b"]);
    expect(facilitatorPart(exchange.store, 12n)).toHaveLength(2);
  });

  test("is cut off at its bounds in number and in bytes, and the rest comes later", () => {
    for (const bound of ["number", "bytes"]) {
      const exchange = world(bound === "number" ? { facilitatorMaxTransactions: 4 } : { facilitatorMaxBytes: 1_024 });
      const names = Array.from({ length: 10 }, (_, index) => `i${index}`);
      const id = exchange.deploy(
        "alice",
        names.map((name) => terms(name)),
      );
      for (const name of names) exchange.bid("sierra", orderOf(id, name));
      let matched = 0;
      let blocks = 0;
      while (matched < 10) {
        const part = exchange.blocks();
        matched += part.length;
        blocks += 1;
        expect(part.length).toBeGreaterThan(0);
        expect(part.length).toBeLessThan(bound === "number" ? 5 : 10);
      }
      expect(blocks).toBeGreaterThan(1);
    }
    expect(facilitatorMessageBytes({ typeUrl: "/a", value: new Uint8Array(8) })).toBe(2 + 8 + 64);
  });

  test("costs what is due, not what is open", () => {
    const reads = [10, 1_000].map((open) => {
      const exchange = world();
      for (let index = 0; index < open; index += 10)
        exchange.deploy(
          "alice",
          Array.from({ length: 10 }, (_, name) => terms(`i${name}`)),
          { clientToken: Uint8Array.from({ length: 32 }, (_, at) => (at < 2 ? (index >> (8 * at)) & 255 : 0)) },
        );
      exchange.bid("sierra", orderOf({ tenant: addressOf("alice"), sequence: 1n }, "i3"));
      const committed = new Watched(exchange.state);
      expect(facilitatorPart(committed, 2n)).toHaveLength(1);
      return committed.reads;
    });
    expect(reads[1]).toBe(reads[0]);
  });
});
