import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { buildSync } from "esbuild";
import { z } from "zod";
import { readRecorded, recordedFile } from "./testing/recorded-history";

jest.setTimeout(120_000);

const root = resolve(__dirname, "..", "..", "..");
const Replayed = z.object({ version: z.string(), appHashes: z.array(z.string()) });

/** Every Node from 20 on that is on this machine, by its version. */
function nodes(): ReadonlyMap<string, string> {
  const folders = [join(root, "node_modules", "node", "bin"), ...(process.env["PATH"] ?? "").split(delimiter)];
  const places = [...folders, "/usr/bin", "/usr/local/bin"].map((folder) => join(folder, "node"));
  const found = new Map([[process.version, process.execPath]]);
  for (const path of new Set(places.filter((place) => existsSync(place)))) {
    const version = execFileSync(path, ["--version"], { encoding: "utf8" }).trim();
    if (Number(/^v(\d+)/.exec(version)?.[1]) >= 20 && !found.has(version)) found.set(version, path);
  }
  return found;
}

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dcx-versions-"));
  buildSync({
    entryPoints: [join(__dirname, "testing", "replay-recorded.ts")],
    outfile: join(folder, "replay.cjs"),
    bundle: true,
    platform: "node",
    target: "node20",
    external: ["lmdb", "secp256k1"],
    alias: { "@dcx/protocol": join(root, "protocol", "src", "index.ts") },
    logLevel: "silent",
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function replayOn(path: string): z.infer<typeof Replayed> {
  const state = mkdtempSync(join(folder, "state-"));
  const output = execFileSync(path, [join(folder, "replay.cjs"), recordedFile, state], {
    encoding: "utf8",
    env: { ...process.env, NODE_PATH: join(root, "node_modules") },
  });
  return Replayed.parse(JSON.parse(output));
}

const versions = [...nodes()];
const several = versions.length > 1 ? describe : describe.skip;

several(`the recorded history on ${versions.map(([version]) => version).join(" and ")}`, () => {
  test.each(versions)("leads to the recorded app hashes on %s", (version, path) => {
    const replayed = replayOn(path);
    expect(replayed).toEqual({ version, appHashes: readRecorded(recordedFile).map(({ appHash }) => appHash) });
  });
});
