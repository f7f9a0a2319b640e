import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import {
  buildManifest,
  canonicalManifest,
  entryCount,
  entryDigest,
  humanConnection,
  humanWorkload,
  type Manifest,
  ManifestError,
  manifestChanges,
  manifestVersion,
  normalizeConnection,
  normalizeWorkload,
  parseManifest,
  patchManifest,
} from ".";
import { anyManifest } from "./arbitrary";

const salt = "5a".repeat(32);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function issuesOf(run: () => unknown): readonly { path: string; message: string }[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ManifestError) {
      return error.issues;
    }
    throw error;
  }
  return [];
}

const shop = {
  salt,
  infrastructures: ["west", "east"],
  workloads: {
    web: {
      infrastructure: "west",
      container: "ghcr.io/acme/web:1.4",
      count: 2,
      ports: [8080],
      healthCheck: { http: "/healthz" },
    },
    api: { infrastructure: "east", container: { image: "ghcr.io/acme/api:1.4" }, ports: [9000] },
  },
  connections: {
    "web-to-api": { to: "api", port: 9000, from: { workload: "web" } },
    public: { to: "web", port: 8080, from: { global: true } },
  },
};

describe("normalizing", () => {
  it("turns what people write into integers", () => {
    expect(
      normalizeWorkload({
        infrastructure: "west",
        container: "nginx:1.27",
        compute: { cpu: "0.5", memory: "512Mi", disk: "1Gi", gpu: 1 },
        volumes: { data: { path: "/data", size: "1.5Gi" } },
        healthCheck: { command: ["true"], interval: "5s", timeout: 0.5, retries: 5 },
        environment: { PORT: 8080, DEBUG: true, NAME: "x" },
        ports: ["80"],
      }),
    ).toEqual({
      infrastructure: "west",
      container: { image: "nginx:1.27" },
      compute: { cpu: 500, memory: "536870912", disk: "1073741824", gpu: { count: 1 } },
      volumes: { data: { path: "/data", size: "1610612736" } },
      healthCheck: { command: ["true"], interval: 5000, timeout: 500, retries: 5 },
      environment: { PORT: "8080", DEBUG: "true", NAME: "x" },
      ports: [80],
    });
  });

  it("leaves out what is absent, empty or default", () => {
    const plain = normalizeWorkload({
      infrastructure: "west",
      container: "nginx:1",
      ports: [80, 81],
      healthCheck: { tcp: true },
    });
    const wordy = normalizeWorkload({
      infrastructure: "west",
      container: { image: "nginx:1", credentials: null },
      command: [],
      arguments: [],
      environment: {},
      ports: [80, 81],
      healthCheck: { tcp: true, port: 80, interval: 1, timeout: "2000ms", retries: 3 },
      volumes: {},
      compute: {},
      count: 1,
      egress: [],
      group: null,
    });
    expect(wordy).toEqual(plain);
    expect(Object.keys(wordy).sort()).toEqual(["container", "healthCheck", "infrastructure", "ports"]);
    expect(normalizeConnection({ to: "web", port: 80, from: { global: true, hosts: [] } })).toEqual({
      to: "web",
      port: 80,
      from: { global: true },
    });
  });

  it("is undone by printing for people", () => {
    fc.assert(
      fc.property(anyManifest(), ({ workloads, connections }) => {
        for (const workload of Object.values(workloads)) {
          expect(normalizeWorkload(humanWorkload(workload))).toEqual(workload);
        }
        for (const connection of Object.values(connections)) {
          expect(normalizeConnection(humanConnection(connection))).toEqual(connection);
        }
      }),
      { numRuns: 50 },
    );
  });
});

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

describe("the canonical form", () => {
  it("is the one text that is accepted", () => {
    fc.assert(
      fc.property(anyManifest(), (manifest) => {
        const text = canonicalManifest(manifest);
        expect(parseManifest(text)).toEqual(manifest);
        expect(() => parseManifest(` ${text}`)).toThrow("canonical");
        expect(() => parseManifest(JSON.stringify({ ...manifest, more: 1 }))).toThrow("more: is not a property");
      }),
      { numRuns: 50 },
    );
  });

  it("does not depend on the order of keys", () => {
    fc.assert(
      fc.property(anyManifest(), (manifest) => canonicalManifest(reversed(manifest)) === canonicalManifest(manifest)),
      { numRuns: 50 },
    );
  });

  it("refuses what says the same in more words", () => {
    const manifest = buildManifest({ salt, workloads: { web: { infrastructure: "west", container: "nginx:1" } } });
    const text = canonicalManifest(manifest);
    for (const more of ['"count":1', '"ports":[]', '"environment":{}']) {
      const wordy = text.replace('"container"', `${more},"container"`);
      expect(() => parseManifest(canonicalOf(wordy))).toThrow("canonical form");
    }
    expect(() => parseManifest(text.replace('"schema":1', '"schema":2'))).toThrow("schema: must be 1");
  });

  it("is refused, not followed, when it is nested without end", () => {
    const endless = "[".repeat(100_000) + "]".repeat(100_000);
    const text = `{"connections":${endless},"salt":"${salt}","schema":1,"workloads":{}}`;
    expect(issuesOf(() => parseManifest(text)).map(({ message }) => message)).toEqual(["is nested too deeply"]);
  });

  it("has a largest size, counted in bytes", () => {
    const arguments_ = Array.from({ length: 100 }, () => "ü".repeat(43_000));
    const workload = { infrastructure: "west", container: "nginx:1", arguments: arguments_ };
    expect(() => canonicalManifest(buildManifest({ salt, workloads: { a: workload } }))).toThrow(
      "longer than 8388608 bytes",
    );
    expect(() => parseManifest("ü".repeat(4_200_000))).toThrow("longer than 8388608 bytes");
    const fits = buildManifest({ salt, workloads: { a: { ...workload, arguments: arguments_.slice(0, 90) } } });
    expect(parseManifest(canonicalManifest(fits))).toEqual(fits);
  });

  it("gives the version that any SHA-256 gives", () => {
    fc.assert(
      fc.property(anyManifest(), (manifest) => {
        const text = canonicalManifest(manifest);
        expect(hex(manifestVersion(text))).toBe(createHash("sha256").update(text, "utf8").digest("hex"));
      }),
      { numRuns: 50 },
    );
  });

  it("stays what it was for the manifests of earlier versions", () => {
    const folder = join(__dirname, "test-data");
    const text = readFileSync(join(folder, "shop.canonical"), "utf8").trimEnd();
    const version = readFileSync(join(folder, "shop.version"), "utf8").trim();
    const input: unknown = JSON.parse(readFileSync(join(folder, "shop.input.json"), "utf8"));
    expect(canonicalManifest(buildManifest(inputsOf(input)))).toBe(text);
    expect(hex(manifestVersion(text))).toBe(version);
    expect(canonicalManifest(parseManifest(text))).toBe(text);
  });
});

describe("an entry's digest", () => {
  const manifest = buildManifest(shop);
  const web = manifest.workloads["web"] ?? fail();

  it("depends on salt, name and content", () => {
    const digests = [
      entryDigest(salt, "workloads/web", web),
      entryDigest("00".repeat(32), "workloads/web", web),
      entryDigest(salt, "workloads/www", web),
      entryDigest(salt, "workloads/web", { ...web, count: 3 }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it("does not depend on the order of keys", () => {
    expect(entryDigest(salt, "workloads/web", reversed(web))).toBe(entryDigest(salt, "workloads/web", web));
  });
});

describe("patching", () => {
  const manifest = buildManifest(shop);
  const api = manifest.workloads["api"] ?? fail();

  it("sets and deletes entries and leaves the given manifest alone", () => {
    const before = canonicalManifest(manifest);
    const next = patchManifest(manifest, {
      workloads: { api: { ...api, count: 3 } },
      connections: { public: null },
    });
    expect(next.workloads["api"]).toEqual({ ...api, count: 3 });
    expect(Object.keys(next.connections)).toEqual(["web-to-api"]);
    expect(canonicalManifest(manifest)).toBe(before);
  });

  it("keeps a workload that a connection names, and says which", () => {
    expect(issuesOf(() => patchManifest(manifest, { workloads: { api: null } }))).toEqual([
      { path: "workloads.api", message: expect.stringContaining('while connection "web-to-api" goes to it') },
    ]);
    const sources = issuesOf(() => patchManifest(manifest, { workloads: { web: null } }));
    expect(sources.map(({ message }) => message)).toEqual([
      expect.stringContaining('connection "web-to-api" comes from it'),
      expect.stringContaining('connection "public" goes to it'),
    ]);
  });

  it("lets both go at once", () => {
    const next = patchManifest(manifest, { workloads: { api: null }, connections: { "web-to-api": null } });
    expect(entryCount(next)).toBe(2);
  });

  it("checks what comes out as a whole", () => {
    const { ports: _, ...portless } = api;
    expect(issuesOf(() => patchManifest(manifest, { workloads: { api: portless } })).map(({ path }) => path)).toEqual([
      "connections.web-to-api.port",
    ]);
    expect(issuesOf(() => patchManifest(manifest, {}, { infrastructures: ["west"] }))).toHaveLength(1);
  });

  it("leads from any manifest to any other by their changes", () => {
    fc.assert(
      fc.property(anyManifest(), anyManifest(), (from, other) => {
        const to = { ...other, salt: from.salt };
        const next = patchManifest(from, manifestChanges(from, to));
        expect(canonicalManifest(next)).toBe(canonicalManifest(to));
      }),
      { numRuns: 50 },
    );
    expect(manifestChanges(manifest, manifest)).toEqual({ workloads: {}, connections: {} });
  });
});

function reversed<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, item: unknown) =>
    item === null || typeof item !== "object" || Array.isArray(item)
      ? item
      : Object.fromEntries(Object.entries(item).reverse()),
  );
}

/** Sorted, so that only the words in it can be what is refused. */
function canonicalOf(text: string): string {
  const manifest: Manifest = JSON.parse(text);
  return canonicalManifest(manifest);
}

function inputsOf(value: unknown): Parameters<typeof buildManifest>[0] {
  if (typeof value !== "object" || value === null || !("salt" in value) || typeof value.salt !== "string") {
    throw new Error("test data without a salt");
  }
  return { ...value, salt: value.salt };
}

function fail(): never {
  throw new Error("the example has lost a workload");
}
