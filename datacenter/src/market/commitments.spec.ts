import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ResourceGroup } from "@dcx/protocol";
import { type Home, openHome } from "../home/home";
import { freeCapacity } from "./capacity";
import { Reservations } from "./commitments";

const bid = {
  order: "dcx1t/1/west/1",
  resources: [ResourceGroup.fromPartial({ compute: { cpu: 1000n, memory: 1n, disk: 1n }, price: "5", count: 2 })],
  collateral: 7n,
};

describe("bids that are on their way", () => {
  let path: string;
  let home: Home;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "dcx-bids-"));
    home = openHome(path);
  });
  afterEach(async () => {
    await home.close();
    rmSync(path, { recursive: true, force: true });
  });

  it("count as sold until the last block in which they can appear, also after the agent died", async () => {
    new Reservations(home.records).hold(bid, 60n);
    await home.close();
    home = openHome(path);
    const again = new Reservations(home.records);
    const capacity = { cpu: 2000n, memory: 10n, disk: 10n, gpu: 0n };
    expect(freeCapacity(capacity, again.pending(59n)).cpu).toBe(0n);
    expect(again.pending(59n)).toEqual([expect.objectContaining(bid)]);
    expect(again.pending(60n)).toEqual([]);
    expect(home.records.names("bid/")).toEqual([]);
  });

  it("are given back at once when they are certain not to appear", () => {
    const reservations = new Reservations(home.records);
    reservations.hold(bid, 60n);
    reservations.release(bid.order);
    expect(reservations.pending(1n)).toEqual([]);
  });
});
