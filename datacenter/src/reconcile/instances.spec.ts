import type { Manifest } from "@dcx/protocol";
import { connectionHost, type Placement, reachable, specifyInstances } from "./instances";

const placement: Placement = {
  chainId: "dcx-1",
  datacenter: "dcx1dc",
  region: "us-west",
  isolation: "container",
  deployment: "dcx1t/1",
  lease: "dcx1t/1/west/1",
  infrastructure: "west",
};
const slot = { cpu: 500, memory: 1n << 29n, disk: 1n << 30n };

function manifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    schema: 1,
    salt: "00".repeat(32),
    workloads: {
      web: { infrastructure: "west", container: { image: "web:1" }, environment: { MODE: "a" }, ports: [8080] },
      api: { infrastructure: "east", container: { image: "api:1" }, ports: [9000] },
    },
    connections: {},
    ...changes,
  };
}

function web(of: Manifest, where: Placement = placement) {
  const [instance] = specifyInstances(where, of, "web", [slot]);
  if (instance === undefined) throw new Error("no instance");
  return instance;
}

describe("specifyInstances", () => {
  it("gives the same instance when other workloads, the health check or the count change", () => {
    const base = manifest();
    const { web: entry, api } = base.workloads;
    if (entry === undefined || api === undefined) throw new Error("no entry");
    const changed = manifest({
      workloads: {
        web: { ...entry, count: 3, healthCheck: { http: "/" } },
        api: { ...api, container: { image: "api:2" } },
        other: api,
      },
    });
    expect(web(changed).id).toBe(web(base).id);
  });

  it.each<[string, (entry: NonNullable<Manifest["workloads"][string]>) => object]>([
    ["image", () => ({ container: { image: "web:2" } })],
    ["environment", () => ({ environment: { MODE: "b" } })],
    ["command", () => ({ command: ["sh"] })],
    ["volumes", () => ({ volumes: { data: { path: "/data", size: "1" } } })],
  ])("gives another instance when its %s changes", (_name, change) => {
    const base = manifest();
    const entry = base.workloads["web"];
    if (entry === undefined) throw new Error("no entry");
    const changed = manifest({ workloads: { ...base.workloads, web: { ...entry, ...change(entry) } } });
    expect(web(changed).id).not.toBe(web(base).id);
  });

  it("gives another instance, and other volumes, to the lease that replaces its own", () => {
    const entry = manifest().workloads["web"];
    if (entry === undefined) throw new Error("no entry");
    const withVolume = manifest({
      workloads: { web: { ...entry, volumes: { data: { path: "/data", size: "1" } } } },
    });
    const successor = web(withVolume, { ...placement, lease: "dcx1t/1/west/2" });
    expect(successor.id).not.toBe(web(withVolume).id);
    expect(successor.volumes[0]?.volume).not.toBe(web(withVolume).volumes[0]?.volume);
  });

  it("says in the environment who it is and where its connections lead", () => {
    const connected = manifest({ connections: { c: { to: "api", port: 9000, from: { workload: "web" } } } });
    expect(web(connected).environment).toEqual({
      DCX_DEPLOYMENT: "dcx1t/1",
      DCX_WORKLOAD: "web",
      DCX_INSTANCE: "0",
      DCX_REGION: "us-west",
      DCX_CONNECTION_API: "api:9000",
      DCX_CONNECTION_API_9000: "api:9000",
      MODE: "a",
    });
    expect(web(connected).hosts).toEqual({ api: connectionHost(placement, "web", "api") });
  });

  it("says in the environment how to get to what its egress declares, and nothing where it declares none", () => {
    const { web: entry, api } = manifest().workloads;
    if (entry === undefined || api === undefined) throw new Error("no entry");
    const connections = { c: { to: "api", port: 9000, from: { workload: "web" } } };
    const of = (egress: NonNullable<typeof entry.egress>) =>
      web(manifest({ connections, workloads: { web: { ...entry, egress }, api } }));
    const { environment, hosts } = of([{ to: "exchange" }, { to: "internet", ports: [443] }]);
    expect(environment).toMatchObject({
      DCX_ENDPOINTS: "http://exchange.dcx.internal:26657",
      DCX_CHAIN_ID: "dcx-1",
      HTTPS_PROXY: "http://egress.dcx.internal:3128",
      https_proxy: "http://egress.dcx.internal:3128",
      NO_PROXY: "localhost,127.0.0.0/8,::1,.dcx.internal,api",
      NODE_USE_ENV_PROXY: "1",
    });
    expect(Object.keys(hosts)).toEqual(["api", "exchange.dcx.internal", "egress.dcx.internal"]);
    expect(new Set(Object.values(hosts)).size).toBe(3);
    expect(Object.keys(of([{ to: "exchange" }]).environment)).not.toContain("HTTPS_PROXY");
    expect(Object.keys(of([{ to: "internet" }]).environment)).not.toContain("DCX_ENDPOINTS");
    expect(of([]).digest).toBe(web(manifest({ connections })).digest);
    // A rule that changes is carried out where the instance runs.
    expect(of([{ to: "internet" }]).digest).toBe(of([{ to: "internet", ports: [443] }]).digest);
  });

  it("gives addresses in place of names where names can't resolve", () => {
    const connected = manifest({ connections: { c: { to: "api", port: 9000, from: { workload: "web" } } } });
    const host = connectionHost(placement, "web", "api");
    expect(host).toMatch(/^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./);
    const environment = web(connected, { ...placement, isolation: "none" }).environment;
    expect(environment["DCX_CONNECTION_API_9000"]).toBe(`${host}:9000`);
  });

  it("names no single address for a target with two ports", () => {
    const connected = manifest({
      connections: {
        a: { to: "api", port: 9000, from: { workload: "web" } },
        b: { to: "api", port: 9001, from: { infrastructure: "west" } },
      },
    });
    expect(web(connected).environment["DCX_CONNECTION_API"]).toBeUndefined();
    expect(web(connected).environment["DCX_CONNECTION_API_9001"]).toBe("api:9001");
  });
});

describe("reachable", () => {
  it("names connections of the workload and of its infrastructure, and none to itself", () => {
    const connections = {
      mine: { to: "api", port: 1, from: { workload: "web" } },
      ours: { to: "api", port: 2, from: { infrastructure: "west" } },
      self: { to: "web", port: 3, from: { infrastructure: "west" } },
      public: { to: "web", port: 4, from: { global: true as const } },
      back: { to: "web", port: 5, from: { workload: "api" } },
    };
    expect(reachable(manifest({ connections }), "web").map(({ connection }) => connection)).toEqual(["mine", "ours"]);
  });
});
