import { parseRate } from "@dcx/protocol";
import { fundsNotes } from "./funds";

const blockInterval = 500;
/** A token an hour. */
const rate = parseRate("1/h", blockInterval);
const token = 1_000_000n;

describe("what a preview says of the tenant's balance", () => {
  it("says nothing while it lasts for a day or more", () => {
    expect(fundsNotes(25n * token, [2_100n], rate, blockInterval)).toEqual([]);
    expect(fundsNotes(0n, [], 0n, blockInterval)).toEqual([]);
  });

  it("says how long it lasts where that is less", () => {
    expect(fundsNotes(5n * token + 2_100n, [2_100n], rate, blockInterval)).toEqual([
      expect.stringContaining("pays for about 5 hours of this"),
    ]);
    expect(fundsNotes(token / 2n, [undefined], rate, blockInterval)).toEqual([
      expect.stringContaining("balance of 0.5 pays for about 30 minutes"),
    ]);
  });

  it("says that the fees are not covered", () => {
    expect(fundsNotes(1_000n, [700n, 400n], rate, blockInterval)).toEqual([
      "the tenant's balance of 0.001 does not cover the fees of about 0.0011",
    ]);
  });
});
