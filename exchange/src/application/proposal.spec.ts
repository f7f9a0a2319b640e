import fc from "fast-check";
import { bytesInBlock, type Candidate, chooseTransactions } from "./proposal";

const parameters = { confirmationReserve: 250 };

function candidate(sender: string, size: number, kind: "confirmation" | "other", gas = 1n): Candidate {
  return { bytes: new Uint8Array(size), sender, gas, confirmation: kind === "confirmation" };
}

describe("the choice for a block", () => {
  test("has room for confirmations however much else came before them", () => {
    const flood = Array.from({ length: 200 }, (_, n) => candidate(`flooder ${n}`, 98, "other"));
    const confirmation = candidate("datacenter", 98, "confirmation");
    const chosen = chooseTransactions([...flood, confirmation], { bytes: 1_000, gas: 1_000n }, parameters);
    expect(chosen[0]).toBe(confirmation.bytes);
    expect(chosen).toHaveLength(10);
  });

  test("gives confirmations no more than their reserve while others wait", () => {
    const confirmations = Array.from({ length: 50 }, (_, n) => candidate(`datacenter ${n}`, 98, "confirmation"));
    const other = candidate("tenant", 98, "other");
    const chosen = chooseTransactions([other, ...confirmations], { bytes: 1_000, gas: 1_000n }, parameters);
    expect(chosen).toContain(other.bytes);
  });

  test("takes the confirmations of each datacenter in turn, so that one that floods keeps no other out", () => {
    const flood = Array.from({ length: 50 }, () => candidate("flooder", 98, "confirmation"));
    const honest = candidate("datacenter", 98, "confirmation");
    const others = Array.from({ length: 50 }, (_, n) => candidate(`tenant ${n}`, 98, "other"));
    const chosen = chooseTransactions([...flood, ...others, honest], { bytes: 1_000, gas: 1_000n }, parameters);
    expect(chosen[1]).toBe(honest.bytes);
  });

  test("takes along what a datacenter sent before its confirmation, in its order", () => {
    const first = candidate("datacenter", 50, "other");
    const second = candidate("datacenter", 50, "confirmation");
    const flood = Array.from({ length: 200 }, (_, n) => candidate(`flooder ${n}`, 98, "other"));
    const chosen = chooseTransactions([...flood, first, second], { bytes: 1_000, gas: 1_000n }, parameters);
    expect(chosen.slice(0, 2)).toEqual([first.bytes, second.bytes]);
    expect(chosen[0]).toBe(first.bytes);
  });

  test("never passes the block's room and never reorders or skips within a sender", () => {
    const some = fc.record({
      sender: fc.constantFrom("a", "b", "c"),
      size: fc.integer({ min: 1, max: 300 }),
      gas: fc.bigInt({ min: 1n, max: 50n }),
      kind: fc.constantFrom("confirmation" as const, "other" as const),
    });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 40 }), (list) => {
        const candidates = list.map((one) => candidate(one.sender, one.size, one.kind, one.gas));
        const room = { bytes: 2_000, gas: 300n };
        const chosen = chooseTransactions(candidates, room, parameters);
        const taken = chosen.map((bytes) => candidates.find((one) => one.bytes === bytes));
        expect(new Set(chosen).size).toBe(chosen.length);
        expect(chosen.reduce((sum, one) => sum + bytesInBlock(one), 0)).toBeLessThanOrEqual(room.bytes);
        expect(taken.reduce((sum, one) => sum + (one?.gas ?? 0n), 0n)).toBeLessThanOrEqual(room.gas);
        for (const sender of ["a", "b", "c"]) {
          const sent = candidates.filter((one) => one.sender === sender);
          const included = taken.filter((one) => one?.sender === sender);
          expect(included).toEqual(sent.slice(0, included.length));
        }
      }),
    );
  });
});
