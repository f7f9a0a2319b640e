import type { Manifest, ManifestWorkload } from "@dcx/protocol";
import { describeConnection, describeEntries, describeWorkload } from "./describe-entries";

const web: ManifestWorkload = {
  infrastructure: "west",
  container: { image: "ghcr.io/acme/web:1.4" },
  count: 2,
  ports: [8080],
  environment: { MODE: "quiet", TOKEN: "hunter2" },
};

test("a new workload, and one that is as it was", () => {
  expect(describeWorkload(undefined, web)).toBe("ghcr.io/acme/web:1.4    2 instances in west");
  expect(describeWorkload(web, { ...web })).toBe("as it runs: nothing is restarted");
});

test.each<[string, Partial<ManifestWorkload>, string]>([
  [
    "an image",
    { container: { image: "ghcr.io/acme/web:1.5" } },
    "ghcr.io/acme/web:1.4 → 1.5    rolling, 2 instances, no lease moves",
  ],
  [
    "an image by digest",
    { container: { image: `ghcr.io/acme/web@sha256:${"9c1f".repeat(16)}` } },
    "ghcr.io/acme/web:1.4 → sha256:9c1f9c1f9c1f…    rolling, 2 instances, no lease moves",
  ],
  [
    "another repository",
    { container: { image: "ghcr.io/acme/shop:1.4" } },
    "ghcr.io/acme/web:1.4 → ghcr.io/acme/shop:1.4    rolling, 2 instances, no lease moves",
  ],
  ["a count alone", { count: 3 }, "count 2 → 3    starts 1 instance, no lease moves"],
  ["a lower count", { count: 1 }, "count 2 → 1    stops 1 instance, no lease moves"],
  ["its infrastructure", { infrastructure: "east" }, "moves from west to east    rolling, 2 instances"],
  [
    "environment, by name and never by value",
    { environment: { MODE: "loud", LEVEL: "3" } },
    "environment +LEVEL -TOKEN MODE    rolling, 2 instances, no lease moves",
  ],
])("a workload changes %s", (_what, change, text) => {
  expect(describeWorkload(web, { ...web, ...change })).toBe(text);
});

test("connections say who gets to what", () => {
  const open = { to: "web", port: 8080, from: { global: true } } as const;
  expect(describeConnection(undefined, open)).toBe("opens port 8080 of web to everyone");
  expect(describeConnection(open, { to: "web", port: 8080, from: { workload: "api" } })).toBe(
    "port 8080 of web to everyone → port 8080 of web to api",
  );
  expect(describeConnection(open, { ...open })).toBe("as it is: nothing is interrupted");
});

test("of two manifests only what differs is told", () => {
  const before: Manifest = {
    schema: 1,
    salt: "",
    workloads: { web, old: web },
    connections: { public: { to: "web", port: 8080, from: { global: true } } },
  };
  const after: Manifest = { ...before, workloads: { web }, connections: {} };
  expect(describeEntries(before, before)).toEqual([]);
  expect(describeEntries(before, after)).toEqual([
    { kind: "workloads", name: "old", action: "remove", text: "stops" },
    { kind: "connections", name: "public", action: "remove", text: "closes" },
  ]);
  expect(describeEntries(undefined, after)).toMatchObject([
    { kind: "workloads", name: "web", action: "add", image: "ghcr.io/acme/web:1.4" },
  ]);
});

test("a tag is told with what it stands for, where its registry has said that", () => {
  const digests = new Map([["ghcr.io/acme/web:1.5", `sha256:${"9c1f".repeat(16)}`]]);
  expect(describeWorkload(web, { ...web, container: { image: "ghcr.io/acme/web:1.5" } }, digests)).toBe(
    "ghcr.io/acme/web:1.4 → 1.5 (sha256:9c1f9c1f9c1f…)    rolling, 2 instances, no lease moves",
  );
  expect(describeWorkload(web, { ...web, count: 3 }, digests)).toBe("count 2 → 3    starts 1 instance, no lease moves");
});
