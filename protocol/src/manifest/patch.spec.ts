import fc from "fast-check";
import { buildManifest, canonicalManifest, entryCount, manifestChanges, patchManifest } from ".";
import { anyManifest } from "./arbitrary";
import { issuesOf, shop } from "./testing/shop";

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

function fail(): never {
  throw new Error("the example has lost a workload");
}
