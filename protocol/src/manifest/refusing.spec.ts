import { buildManifest, canonicalManifest, entryCount, normalizeConnection, normalizeWorkload, parseManifest } from ".";
import { issuesOf, salt, shop } from "./testing/shop";

describe("refusing", () => {
  const workload = { infrastructure: "west", container: "nginx:1" };

  it.each<[string, object, string, string]>([
    ["a port out of range", { ports: [80, 70000] }, "ports[1]", "70000 is not a TCP port (1 to 65535)"],
    ["a port twice", { ports: [80, 80] }, "ports[1]", "80 is there twice"],
    ["an image without tag or digest", { container: "nginx" }, "container.image", "write nginx:latest"],
    ["an image in upper case", { container: "acme/Web:1" }, "container.image", "lower case"],
    ["a missing image", { container: {} }, "container.image", "is missing"],
    ["an unknown property", { replicas: 2 }, "replicas", "is not a property"],
    ["a negative cpu", { compute: { cpu: -1 } }, "compute.cpu", "negative"],
    ["memory of nothing", { compute: { memory: 0 } }, "compute.memory", "it is nothing"],
    ["an unknown unit", { compute: { memory: "1gb" } }, "compute.memory", "did you mean Gi?"],
    ["a relative volume", { volumes: { data: { path: "data", size: 1 } } }, "volumes.data.path", "absolute"],
    ["a volume over everything", { volumes: { data: { path: "/", size: 1 } } }, "volumes.data.path", "whole file"],
    ["a path that climbs", { volumes: { data: { path: "/a/../b", size: 1 } } }, "volumes.data.path", "plain path"],
    ["a volume without size", { volumes: { data: { path: "/a" } } }, "volumes.data.size", "is missing"],
    [
      "two volumes in one place",
      { volumes: { a: { path: "/a", size: 1 }, b: { path: "/a", size: 1 } } },
      "volumes.b.path",
      'of volume "a"',
    ],
    ["an environment name", { environment: { "A B": "1" } }, "environment.A B", "environment variable"],
    ["a NUL in a value", { environment: { A: "a\0b" } }, "environment.A", "NUL"],
    ["half a character", { arguments: ["\ud800"] }, "arguments[0]", "well-formed Unicode"],
    ["no health check", { healthCheck: {} }, "healthCheck", "exactly one of http, tcp and command; has none"],
    ["two health checks", { healthCheck: { tcp: true, http: "/" } }, "healthCheck", "has http and tcp"],
    ["a health check of no port", { healthCheck: { http: "/" } }, "healthCheck", "no port to ask"],
    ["count of none", { count: 0 }, "count", "from 1 to"],
    ["half an instance", { count: 1.5 }, "count", "1.5 is not an integer"],
    [
      "too many variables",
      { environment: Object.fromEntries(Array.from({ length: 1025 }, (_, index) => [`A${index}`, "x"])) },
      "environment",
      "more than 1024",
    ],
    ["too many arguments", { arguments: Array.from({ length: 1025 }, () => "x") }, "arguments", "more than 1024"],
    ["an unknown egress", { egress: [{ to: "moon" }] }, "egress[0].to", '"internet" or "exchange"'],
    ["addresses of the exchange", { egress: [{ to: "exchange", ports: [1] }] }, "egress[0]", "neither"],
    ["a bad address block", { egress: [{ to: "internet", addresses: ["1.2.3"] }] }, "egress[0].addresses[0]", "block"],
    ["an infrastructure's name", { infrastructure: "West" }, "infrastructure", "is not a name"],
    [
      "a name that JavaScript takes for itself",
      { environment: JSON.parse('{"__proto__":"x"}') },
      "environment.__proto__",
      "name",
    ],
  ])("%s, naming the property", (_, change, path, message) => {
    const issues = issuesOf(() => normalizeWorkload({ ...workload, ...change }, "workloads.web"));
    expect(issues).toEqual([{ path: `workloads.web.${path}`, message: expect.stringContaining(message) }]);
  });

  it.each<[string, unknown, string, string]>([
    ["no source", { to: "web", port: 80, from: {} }, "from", "exactly one"],
    ["two sources", { to: "web", port: 80, from: { workload: "a", global: true } }, "from", "workload and global"],
    ["global: false", { to: "web", port: 80, from: { global: false } }, "from.global", "must be true"],
    ["hosts without global", { to: "web", port: 80, from: { workload: "a", hosts: ["a.b"] } }, "from.hosts", "global"],
    ["a host in upper case", { to: "web", port: 80, from: { global: true, hosts: ["A.b"] } }, "from.hosts[0]", "lower"],
    ["no target", { port: 80, from: { global: true } }, "to", "is missing"],
    ["a list", [], "", "must be a map, not a list"],
  ])("a connection with %s", (_, input, path, message) => {
    expect(issuesOf(() => normalizeConnection(input))).toEqual([{ path, message: expect.stringContaining(message) }]);
  });

  it("collects everything that is wrong", () => {
    const issues = issuesOf(() =>
      buildManifest({
        salt: "short",
        infrastructures: ["west"],
        workloads: {
          Web: { ...workload, ports: [0] },
          api: { infrastructure: "east", container: "api" },
          ok: workload,
        },
        connections: {
          a: { to: "gone", port: 1, from: { workload: "constructor" } },
          b: { to: "ok", port: 1, from: {} },
        },
      }),
    );
    expect(issues.map(({ path }) => path).sort()).toEqual(
      [
        "connections.a.from.workload",
        "connections.a.to",
        "connections.b.from",
        "salt",
        "workloads.Web",
        "workloads.Web.ports[0]",
        "workloads.api.container.image",
      ].sort(),
    );
  });

  it("shows no secret", () => {
    const secret = "hunter2\0hunter2";
    const wrong = { ...workload, environment: { A: secret, B: { c: secret } }, arguments: [secret], command: secret };
    const credentials = { image: "nginx:1", credentials: { username: secret, password: secret, token: secret } };
    for (const input of [wrong, { ...workload, container: credentials }, { ...workload, environment: [secret] }]) {
      const issues = issuesOf(() => normalizeWorkload(input));
      expect(issues.length).toBeGreaterThan(0);
      expect(JSON.stringify(issues)).not.toContain("hunter2");
    }
    const text = canonicalManifest(
      buildManifest({ salt, workloads: { web: { ...workload, environment: { A: "hunter2" } } } }),
    );
    for (const broken of [
      text.slice(0, -1),
      text.replace('"hunter2"', '["hunter2"]'),
      text.replace('"A"', '"hunter 2"'),
    ]) {
      expect(
        issuesOf(() => parseManifest(broken))
          .map(({ message }) => message)
          .join(),
      ).not.toContain("hunter2");
    }
  });
});

describe("entries among each other", () => {
  it("fit in the example", () => expect(entryCount(buildManifest(shop))).toBe(4));

  it.each<[string, Record<string, unknown>, string, string]>([
    [
      "a target",
      { x: { to: "db", port: 1, from: { global: true } } },
      "connections.x.to",
      'no workload "db"; there are web, api',
    ],
    [
      "a target's port",
      { x: { to: "api", port: 80, from: { global: true } } },
      "connections.x.port",
      "its ports are 9000",
    ],
    ["a source", { x: { to: "api", port: 9000, from: { workload: "db" } } }, "connections.x.from.workload", '"db"'],
    [
      "a source's infrastructure",
      { x: { to: "api", port: 9000, from: { infrastructure: "north" } } },
      "connections.x.from.infrastructure",
      'no infrastructure "north"; there are west, east',
    ],
  ])("name %s that exists", (_, connections, path, message) => {
    const issues = issuesOf(() => buildManifest({ ...shop, connections }));
    expect(issues).toEqual([{ path, message: expect.stringContaining(message) }]);
  });

  it("are placed where there is something", () => {
    const issues = issuesOf(() => buildManifest({ ...shop, infrastructures: ["west"] }));
    expect(issues.map(({ path }) => path)).toEqual(["workloads.api.infrastructure"]);
  });

  it("do not open the same twice", () => {
    const connections = { ...shop.connections, again: shop.connections.public };
    const issues = issuesOf(() => buildManifest({ ...shop, connections }));
    expect(issues).toEqual([{ path: "connections.again", message: 'opens the same as connection "public"' }]);
  });
});
