import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fulfillment, FulfillmentState, Lease, QueryParametersResponse } from "@dcx/protocol";
import type { ChainView } from "../chain/view";
import { openHome } from "../home/home";
import { DrainingState, drainProgress, leasesWithoutNotice } from "./draining";

const leaseOf = (infrastructure: string, noticeEndHeight = 0n) =>
  Lease.fromPartial({ id: { tenant: "dcx1t", sequence: 1n, infrastructure, generation: 1 }, noticeEndHeight });

function viewOf(leases: readonly Lease[], bids: readonly FulfillmentState[] = []): ChainView {
  return {
    height: 10n,
    parameters: QueryParametersResponse.fromPartial({}),
    record: undefined,
    orders: new Map(),
    fulfillments: new Map(bids.map((state, at) => [String(at), Fulfillment.fromPartial({ state })])),
    leases: new Map(leases.map((lease) => [lease.id?.infrastructure ?? "", lease])),
    broken: new Map(),
    deployments: new Map(),
  };
}

test("notice is due for exactly the leases without one, in the order of their ids", () => {
  const leases = [leaseOf("west"), leaseOf("gone", 99n), leaseOf("east")];
  expect(leasesWithoutNotice(leases).map(({ infrastructure }) => infrastructure)).toEqual(["east", "west"]);
});

test("a datacenter is drained once no lease, no bid that may become one and no instance is left", () => {
  const under = leaseOf("west", 50n);
  expect(drainProgress(viewOf([under, leaseOf("east", 70n)], [FulfillmentState.OPEN]), 1, 2)).toEqual({
    leases: 2,
    withoutNotice: 0,
    bids: 2,
    instances: 2,
    lastEnd: 70n,
    drained: false,
  });
  expect(drainProgress(viewOf([leaseOf("east")]), 0, 0)).toMatchObject({ withoutNotice: 1, drained: false });
  expect(drainProgress(viewOf([], [FulfillmentState.OPEN]), 0, 0).drained).toBe(false);
  expect(drainProgress(viewOf([]), 1, 0).drained).toBe(false);
  expect(drainProgress(viewOf([]), 0, 1).drained).toBe(false);
  expect(drainProgress(viewOf([], [FulfillmentState.MATCHED]), 0, 0)).toEqual({
    leases: 0,
    withoutNotice: 0,
    bids: 0,
    instances: 0,
    drained: true,
  });
});

test("an agent that is started again goes on draining, until it is told to sell", async () => {
  const path = mkdtempSync(join(tmpdir(), "dcx-draining-"));
  try {
    const home = openHome(path);
    const first = new DrainingState(home.records);
    expect(first.now).toBeUndefined();
    const { since } = first.begin({ exit: true });
    const second = new DrainingState(home.records);
    expect(second.now).toEqual({ since, exit: true });
    expect(second.begin({ exit: false })).toEqual({ since, exit: false });
    second.end();
    expect(new DrainingState(home.records).now).toBeUndefined();
    await home.close();
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});
