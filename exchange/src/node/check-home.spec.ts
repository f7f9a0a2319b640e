import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import pino from "pino";
import { defaultGenesis } from "../application/default-genesis";
import { tables } from "../state/keys";
import { addressOf } from "../state/testing/names";
import { entriesName, mostDatabases } from "../storage/entries";
import { checkHome } from "./check-home";
import { type EmbeddedNode, startEmbeddedNode } from "./embedded-node";

let home: string;
let node: EmbeddedNode;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "dcx-check-"));
  const genesis = defaultGenesis({
    chainId: "dcx-check-1",
    accounts: ["alice", "bob", "carol"].map((name) => ({ address: addressOf(name), balance: 1_000n })),
  });
  node = await startEmbeddedNode({ home, genesis, rpc: {}, logger: pino({ level: "silent" }) });
});

afterEach(async () => {
  await node.close();
  rmSync(home, { recursive: true, force: true });
});

/** Changes one entry of the state behind the node's back. */
async function tamper(table: string, change: (value: Buffer) => Buffer): Promise<void> {
  const environment = open<Buffer, Buffer>({
    path: join(home, "state"),
    encoding: "binary",
    keyEncoding: "binary",
    maxDbs: mostDatabases,
  });
  const entries = environment.openDB<Buffer, Buffer>(entriesName(table), { encoding: "binary", keyEncoding: "binary" });
  for (const { key, value } of [...entries.getRange({ start: Buffer.from(table), limit: 1 })])
    entries.putSync(key, change(Buffer.from(value)));
  await environment.close();
}

describe("a check of a node's folder", () => {
  test("finds nothing wrong with a node that was stopped, and leaves it as it was", async () => {
    await node.close();
    expect(await checkHome(home)).toEqual([]);
    node = await startEmbeddedNode({ home, rpc: {}, logger: pino({ level: "silent" }) });
    expect(node.chainId).toBe("dcx-check-1");
  });

  test("is refused while the node runs, and where there is none", async () => {
    await expect(checkHome(home)).rejects.toThrow("another node is running");
    await expect(checkHome(join(home, "state", "nothing"))).rejects.toThrow("holds no node's state");
  });

  test("finds tokens from nowhere, by the sums and by the app hash", async () => {
    await node.close();
    // The last byte is of the balance: a varint below 128 in its last place.
    await tamper(tables.account, (value) => {
      value.writeUInt8(value.readUInt8(value.length - 1) ^ 1, value.length - 1);
      return value;
    });
    const problems = await checkHome(home);
    expect(problems).toContainEqual(expect.stringMatching(/^tokensAddUp/));
    expect(problems).toContainEqual(expect.stringMatching(/^app hash/));
    expect(problems).toContainEqual(expect.stringMatching(/^tree: the page/));
  });
});
