import type { PeerIdentity, WantedConnections } from "../overlay/overlay";
import { LeavingConnections } from "./leaving";

const connection = "dcx1t/1/connections/web-to-api";
const peer = (lease: string, workload = "web"): PeerIdentity => ({
  datacenter: "dcx1west",
  lease,
  workload,
  roots: [],
});

function wired(sources: readonly string[], targets: readonly string[], peers = [peer("web/1")]): WantedConnections {
  return {
    sources: sources.map((lease) => ({
      connection,
      source: { lease, workload: "web" },
      instances: [`${lease}-0`],
      address: "127.64.0.1",
      port: 9000,
      targets: [],
    })),
    targets: targets.map((lease) => ({
      connection,
      target: { lease, workload: "api" },
      instances: [`${lease}-0`],
      port: 9000,
      sources: peers,
    })),
    ingresses: [],
    egresses: sources.map((lease) => ({
      source: { lease, workload: "web" },
      instances: [`${lease}-0`],
      address: "127.64.0.2",
      port: 26657,
    })),
  };
}

describe("what a lease leaves", () => {
  it("is carried for a while after the lease has ended, then no more", () => {
    const leaving = new LeavingConnections(1_000);
    leaving.with(wired(["web/1"], ["api/1"]), new Set(["web/1", "api/1"]), 0);
    expect(leaving.next).toBeUndefined();
    const after = leaving.with(wired([], []), new Set(), 10);
    expect(after.sources).toMatchObject([{ source: { lease: "web/1" }, instances: ["web/1-0"], leaving: true }]);
    expect(after.targets).toMatchObject([{ target: { lease: "api/1" }, leaving: true }]);
    expect(after.egresses).toMatchObject([{ source: { lease: "web/1" } }]);
    expect(leaving.next).toBe(1_010);
    expect(leaving.with(wired([], []), new Set(), 1_010)).toEqual(wired([], []));
    expect(leaving.next).toBeUndefined();
  });

  it("is cut at once where the manifest, not the lease, ended it", () => {
    const leaving = new LeavingConnections(1_000);
    const leases = new Set(["web/1", "api/1"]);
    leaving.with(wired(["web/1"], ["api/1"]), leases, 0);
    expect(leaving.with(wired([], []), leases, 10)).toEqual(wired([], []));
  });

  it("is let in by its peers as long, where its workload still is a source under another lease", () => {
    const leaving = new LeavingConnections(1_000);
    const leases = new Set(["api/1"]);
    leaving.with(wired([], ["api/1"], [peer("web/1")]), leases, 0);
    const after = leaving.with(wired([], ["api/1"], [peer("web/2")]), leases, 10);
    expect(after.targets[0]?.sources.map(({ lease }) => lease)).toEqual(["web/2", "web/1"]);
    const later = leaving.with(wired([], ["api/1"], [peer("web/2")]), leases, 1_010);
    expect(later.targets[0]?.sources.map(({ lease }) => lease)).toEqual(["web/2"]);
    const other = leaving.with(wired([], ["api/1"], [peer("admin/1", "admin")]), leases, 2_000);
    expect(other.targets[0]?.sources.map(({ lease }) => lease)).toEqual(["admin/1"]);
  });
});
