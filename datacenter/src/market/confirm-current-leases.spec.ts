import { Lease } from "@dcx/protocol";
import fc from "fast-check";
import { dueConfirmations } from "./confirm-current-leases";

const version = Buffer.alloc(32, 1);

function lease(last: bigint, confirmed: Uint8Array = Buffer.alloc(0), infrastructure = "west"): Lease {
  return Lease.fromPartial({
    id: { tenant: "dcx1t", sequence: 1n, infrastructure, generation: 1 },
    lastConfirmedHeight: last,
    reconfirmationPeriod: 100n,
    confirmedVersion: Buffer.from(confirmed),
  });
}

describe("dueConfirmations", () => {
  it("leaves half of the period for what goes wrong", () => {
    expect(dueConfirmations([lease(100n)], 149n, () => undefined)).toHaveLength(0);
    expect(dueConfirmations([lease(100n)], 150n, () => undefined)).toHaveLength(1);
  });

  it("confirms at once when a version begins to serve, and not again", () => {
    expect(dueConfirmations([lease(100n)], 101n, () => version)).toMatchObject([{ version }]);
    expect(dueConfirmations([lease(100n, version)], 101n, () => version)).toHaveLength(0);
  });

  it("goes on confirming a lease in which nothing serves, without naming a version", () => {
    expect(dueConfirmations([lease(100n, version)], 160n, () => undefined)[0]?.version).toHaveLength(0);
  });

  it("takes those with the least time left first", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(0n, 100n), { minLength: 1, maxLength: 20 }), (lasts) => {
        const leases = lasts.map((last, index) => lease(last, Buffer.alloc(0), `i${index}`));
        const order = dueConfirmations(leases, 200n, () => undefined).map(({ lease: id }) =>
          Number(lasts[Number(id?.infrastructure.slice(1))]),
        );
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }),
    );
  });
});
