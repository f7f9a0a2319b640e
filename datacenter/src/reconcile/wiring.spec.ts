import {
  Datacenter,
  Lease,
  LeaseState,
  type Manifest,
  QueryDeploymentResponse,
  QueryParametersResponse,
} from "@dcx/protocol";
import type { ChainView } from "../chain/view";
import { connectionHost, type Placement } from "./instances";
import type { LeaseTarget } from "./lease-target";
import { type LocalInstances, wireConnections } from "./wiring";

const deployment = "dcx1t/1";
const chainId = "dcx-1";

const manifest: Manifest = {
  schema: 1,
  salt: "66".repeat(32),
  workloads: {
    web: { infrastructure: "west", container: { image: "web" } },
    admin: { infrastructure: "west", container: { image: "admin" } },
    api: { infrastructure: "east", container: { image: "api" } },
  },
  connections: {
    one: { to: "api", port: 9000, from: { workload: "web" } },
    all: { to: "api", port: 9001, from: { infrastructure: "west" } },
    public: { to: "web", port: 8080, from: { global: true } },
  },
};

function leaseOf(infrastructure: string, datacenter: string, generation = 1, state = LeaseState.ACTIVE): Lease {
  return Lease.fromPartial({ id: { tenant: "dcx1t", sequence: 1n, infrastructure, generation }, datacenter, state });
}

function viewOf(leases: Lease[]): ChainView {
  const datacenters = ["dcx1west", "dcx1east", "dcx1next"].map((address) =>
    Datacenter.fromPartial({
      address,
      tunnelAddresses: [`${address}:8444`],
      agentUrls: [`https://${address}:8443`],
      roots: [
        { certificate: Buffer.from(`${address} new`), endHeight: 0n },
        { certificate: Buffer.from(`${address} old`), endHeight: 9n },
      ],
    }),
  );
  return {
    height: 10n,
    parameters: QueryParametersResponse.fromPartial({}),
    record: undefined,
    orders: new Map(),
    fulfillments: new Map(),
    leases: new Map(),
    broken: new Map(),
    deployments: new Map([[deployment, QueryDeploymentResponse.fromPartial({ leases, datacenters })]]),
  };
}

function targetOf(infrastructure: string, datacenter: string): LeaseTarget {
  const placement: Placement = {
    chainId,
    datacenter,
    region: "r",
    isolation: "container",
    deployment,
    lease: `${deployment}/${infrastructure}/1`,
    infrastructure,
  };
  return {
    placement,
    record: leaseOf(infrastructure, datacenter),
    version: "00",
    manifest,
    current: true,
    complete: true,
    successor: false,
    workloads: [],
  };
}

const instances: LocalInstances = {
  present: (_lease, workload) => [`${workload}-0`, `${workload}-1`, `${workload}-leaving`],
  current: (_lease, workload) => [`${workload}-1`],
  entry: () => undefined,
  running: (_lease, workload) => [`${workload}-0`, `${workload}-1`],
  ready: (_lease, workload) => (workload === "web" ? ["web-1"] : []),
};

describe("wireConnections", () => {
  const leases = [leaseOf("west", "dcx1west"), leaseOf("east", "dcx1east")];

  it("listens where the sources are, for what they may reach and nothing else", () => {
    const target = targetOf("west", "dcx1west");
    const { sources, targets } = wireConnections(viewOf(leases), [target], instances);
    expect(sources.map(({ connection, source, port }) => [connection, source.workload, port])).toEqual([
      [`${deployment}/connections/one`, "web", 9000],
      [`${deployment}/connections/all`, "web", 9001],
      [`${deployment}/connections/all`, "admin", 9001],
    ]);
    expect(sources[0]).toMatchObject({
      current: ["web-1"],
      older: true,
      // What leaves may still need it to finish.
      instances: ["web-0", "web-1", "web-leaving"],
      address: connectionHost(target.placement, "web", "api"),
      targets: [{ datacenter: "dcx1east", lease: `${deployment}/east/1`, addresses: ["dcx1east:8444"] }],
    });
    expect(targets).toEqual([]);
  });

  it("lets in, where the target is, exactly the declared workloads of the leases that hold them", () => {
    const { sources, targets } = wireConnections(viewOf(leases), [targetOf("east", "dcx1east")], instances);
    expect(sources).toEqual([]);
    expect(targets.map((each) => each.sources.map(({ workload, lease }) => `${lease} ${workload}`))).toEqual([
      [`${deployment}/west/1 web`],
      [`${deployment}/west/1 web`, `${deployment}/west/1 admin`],
    ]);
  });

  it("opens the ways out that a workload declares, in its instances and in no other's", () => {
    const rule = { addresses: ["203.0.113.0/24"], ports: [443] };
    const web = { infrastructure: "west", container: { image: "web" } };
    const egress = [{ to: "exchange" as const }, { to: "internet" as const, ...rule }];
    const target = {
      ...targetOf("west", "dcx1west"),
      manifest: { ...manifest, workloads: { ...manifest.workloads, web: { ...web, egress } } },
      workloads: ["web", "admin"].map((workload) => ({ lease: "l", workload, instances: [] })),
    };
    const { egresses } = wireConnections(viewOf(leases), [target], instances);
    const common = {
      source: { lease: target.placement.lease, workload: "web" },
      instances: ["web-0", "web-1", "web-leaving"],
    };
    // With the exchange the agents of all that hold an active lease of the deployment, under the roots that count now.
    const agents = ["dcx1west", "dcx1east"].map((datacenter) => ({
      datacenter,
      urls: [`https://${datacenter}:8443`],
      roots: [Buffer.from(`${datacenter} new`)],
    }));
    expect(egresses).toEqual([
      { ...common, address: connectionHost(target.placement, "web", "exchange.dcx.internal"), port: 26657, agents },
      { ...common, address: connectionHost(target.placement, "web", "egress.dcx.internal"), port: 3128, rules: [rule] },
    ]);
  });

  it("trusts only roots that still count", () => {
    const { targets } = wireConnections(viewOf(leases), [targetOf("east", "dcx1east")], instances);
    const roots = targets[0]?.sources[0]?.roots.map((pem) =>
      Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64").toString(),
    );
    expect(roots).toEqual(["dcx1west new"]);
  });

  it("knows both leases while one is replaced, the older first, and none that has ended", () => {
    const replaced = [
      leaseOf("west", "dcx1west"),
      leaseOf("east", "dcx1next", 3),
      leaseOf("east", "dcx1east", 2),
      leaseOf("east", "dcx1west", 1, LeaseState.CLOSED),
    ];
    const { sources } = wireConnections(viewOf(replaced), [targetOf("west", "dcx1west")], instances);
    expect(sources[0]?.targets.map(({ datacenter }) => datacenter)).toEqual(["dcx1east", "dcx1next"]);
  });

  it("sends what comes from outside to instances that serve, and to those that run where none does", () => {
    const view = viewOf(leases);
    expect(wireConnections(view, [targetOf("west", "dcx1west")], instances).ingresses).toEqual([
      { connection: `${deployment}/connections/public`, instances: ["web-1"], port: 8080 },
    ]);
    const none = { ...instances, ready: () => [] };
    expect(wireConnections(view, [targetOf("west", "dcx1west")], none).ingresses[0]?.instances).toHaveLength(2);
  });
});
