import { buildManifest } from "./normalize";
import { entryKeys, newStamp, patchStamps, stampOf } from "./stamps";

const manifest = buildManifest({
  salt: "5a".repeat(32),
  workloads: { web: { infrastructure: "west", container: "nginx:1", ports: [80] } },
  connections: { web: { to: "web", port: 80, from: { global: true } } },
});

describe("stamps", () => {
  it("name entries of both kinds apart", () => {
    expect(entryKeys(manifest)).toEqual(["workloads/web", "connections/web"]);
  });

  it("are never twice the same", () => {
    const [one, other] = [newStamp("owner"), newStamp("owner")];
    expect(one.owner).toBe("owner");
    expect(one.nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(one.nonce).not.toBe(other.nonce);
  });

  it("go with their entries", () => {
    const [old, fresh, gone] = [newStamp("a"), newStamp("b"), newStamp("c")];
    const stamps = patchStamps(
      { "workloads/web": old, "workloads/gone": gone },
      { "connections/web": fresh },
      manifest,
    );
    expect(stamps).toEqual({ "workloads/web": old, "connections/web": fresh });
    expect(patchStamps(stamps, { "workloads/web": fresh }, manifest)["workloads/web"]).toBe(fresh);
    expect(stampOf(stamps, "connections", "web")).toBe(fresh);
    expect(stampOf(stamps, "workloads", "constructor")).toBeUndefined();
  });
});
