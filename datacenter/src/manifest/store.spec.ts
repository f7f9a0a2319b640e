import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Home, openHome } from "../home/home";
import { openManifestStore } from "./store";

const deployment = "dcx1tenant/1";

function envelope(text: string): { version: string; manifest: string; stamps: Record<string, never> } {
  return { version: createHash("sha256").update(text).digest("hex"), manifest: text, stamps: {} };
}

describe("the manifest store", () => {
  let path: string;
  let home: Home;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "dcx-store-"));
    home = openHome(path);
  });
  afterEach(async () => {
    await home.close();
    rmSync(path, { recursive: true, force: true });
  });

  it("gives back what was put, also after a restart", async () => {
    const one = envelope('{"a":1}');
    openManifestStore(home).put(deployment, one.version, {
      manifest: one.manifest,
      stamps: { "workloads/web": { owner: "o", nonce: "n" } },
    });
    await home.close();
    home = openHome(path);
    const store = openManifestStore(home);
    expect(store.get(deployment, one.version)).toEqual({
      manifest: one.manifest,
      stamps: { "workloads/web": { owner: "o", nonce: "n" } },
    });
    expect(store.deployments()).toEqual([deployment]);
  });

  it("refuses a text whose hash is another", () => {
    const one = envelope("a");
    expect(() => openManifestStore(home).put(deployment, one.version, envelope("b"))).toThrow(/hash/);
  });

  it("leaves no secret readable on disk, and its key to its owner only", async () => {
    const secret = "a-very-secret-database-url";
    const one = envelope(secret);
    openManifestStore(home).put(deployment, one.version, one);
    await home.close();
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
    for (const file of files) expect(readFileSync(join(file.parentPath, file.name)).includes(secret)).toBe(false);
    expect(statSync(join(path, "seal.key")).mode & 0o777).toBe(0o600);
    home = openHome(path);
  });

  it("lets the oldest give way to the ninth, but never one that is pinned", () => {
    const store = openManifestStore(home);
    const all = Array.from({ length: 9 }, (_, index) => envelope(`m${index}`));
    const [first, second] = all;
    store.pin(deployment, new Set([first?.version ?? ""]));
    for (const each of all) store.put(deployment, each.version, each);
    expect(store.versions(deployment)).toHaveLength(9);
    const tenth = envelope("m9");
    store.put(deployment, tenth.version, tenth);
    expect(store.get(deployment, first?.version ?? "")).toBeDefined();
    expect(store.get(deployment, second?.version ?? "")).toBeUndefined();
  });

  it("forgets candidates that lost once a newer one is active, and keeps what came later", () => {
    const store = openManifestStore(home);
    const [lost, active, next] = [envelope("lost"), envelope("active"), envelope("next")];
    for (const each of [lost, active, next]) store.put(deployment, each.version, each);
    store.forgetBefore(deployment, active.version);
    expect(store.versions(deployment)).toEqual([active.version, next.version]);
  });

  it("forgets a deployment, also across a restart", async () => {
    const store = openManifestStore(home);
    const one = envelope("x");
    store.put(deployment, one.version, one);
    store.forget(deployment);
    await home.close();
    home = openHome(path);
    expect(openManifestStore(home).deployments()).toEqual([]);
  });
});
