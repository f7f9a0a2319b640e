import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { buildManifest, canonicalManifest, entryDigest, type Manifest, manifestVersion, parseManifest } from ".";
import { anyManifest } from "./arbitrary";
import { issuesOf, salt, shop } from "./testing/shop";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

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
