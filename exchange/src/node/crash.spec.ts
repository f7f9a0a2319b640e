import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { DirectSecp256k1Wallet, Registry } from "@cosmjs/proto-signing";
import { defaultRegistryTypes, SigningStargateClient } from "@cosmjs/stargate";
import { Comet38Client } from "@cosmjs/tendermint-rpc";
import { Genesis } from "@dcx/protocol";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { RequestInitChain } from "cosmjs-types/tendermint/abci/types";
import { Block } from "cosmjs-types/tendermint/types/block";
import { buildSync } from "esbuild";
import fc from "fast-check";
import { Application } from "../application";
import { exchangeMachine } from "../application/exchange-machine";
import { exchangeQueries } from "../application/exchange-queries";
import { StateDatabase } from "../storage";
import { BlockStore } from "./block-store";
import { checkHome } from "./check-home";
import { Chain } from "./consensus/chain";
import { timestampOf } from "./consensus/time";
import { loadOrCreateValidatorKey } from "./consensus/validator-key";
import { loadOrCreateGenesis } from "./genesis-file";
import { lockHome } from "./home-lock";
import { crashPoints } from "./testing/crash-points";

/** DCX_TEST_KILLS=100 for a long run. */
const kills = Number(process.env["DCX_TEST_KILLS"] ?? 10);

jest.setTimeout(120_000 + kills * 10_000);

const chainId = "dcx-crash-1";
const denomination = "udcx";

const root = join(__dirname, "..", "..", "..");
const program = join(mkdtempSync(join(tmpdir(), "dcx-crash-program-")), "node-process.cjs");
const homes: string[] = [];
const children: ChildProcess[] = [];
beforeAll(() => {
  buildSync({
    entryPoints: [join(__dirname, "testing", "node-process.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    alias: { "@dcx/protocol": join(root, "protocol", "src", "index.ts") },
    external: ["lmdb", "secp256k1", "pino"],
    logLevel: "error",
  });
});
afterAll(() => rmSync(dirname(program), { recursive: true, force: true }));
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), "dcx-crash-"));
  homes.push(home);
  return home;
}

/** How a life of a node ends: at a point within a block, after some milliseconds, or when its files have grown by so many KiB. */
type End = { readonly point: string; readonly count: number } | { readonly after: number } | { readonly room: number };

const anyEnd: fc.Arbitrary<End> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ point: fc.constantFrom(...crashPoints("embedded")), count: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 1, arbitrary: fc.record({ after: fc.integer({ min: 0, max: 120 }) }) },
  { weight: 1, arbitrary: fc.record({ room: fc.integer({ min: 0, max: 40 }) }) },
);

/** Of a folder, in KiB. */
function largestFile(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.max(100, ...files.map(({ parentPath, name }) => Math.ceil(statSync(join(parentPath, name)).size / 1024)));
}

/** Runs a node in a process of its own. `undefined`: it ended before it served. */
async function startNode(
  home: string,
  address: string,
  end?: End,
): Promise<{ child: ChildProcess; url: string | undefined }> {
  const point = end !== undefined && "point" in end ? [end.point, String(end.count)] : [];
  const limit = end !== undefined && "room" in end ? largestFile(home) + end.room : undefined;
  const command = [
    // What writes beyond it is told so, as where a disk is full.
    ...(limit === undefined ? [] : ["bash", "-c", `trap '' XFSZ; ulimit -f ${limit}; exec "$@"`, "bash"]),
    ...[process.execPath, program, home, chainId, address, ...point],
  ];
  const child = spawn(command[0] ?? "", command.slice(1), {
    stdio: ["ignore", "pipe", limit === undefined ? "inherit" : "ignore"],
    env: { ...process.env, NODE_PATH: join(root, "node_modules") },
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("http://")) return { child, url: line };
  }
  return { child, url: undefined };
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) =>
    child.exitCode === null && child.signalCode === null ? child.once("exit", () => resolve()) : resolve(),
  );
}

/**
 * Executes all blocks of a stopped node anew, in folders of its own, as a node does that was never killed.
 * @throws where a block leads to another app hash or other results
 */
async function replayed(
  home: string,
): Promise<{ readonly appHash: Buffer; readonly index: Buffer[]; readonly kept: Buffer[] }> {
  const anew = makeHome();
  const genesis = loadOrCreateGenesis(join(home, "genesis.json"), undefined);
  const validator = loadOrCreateValidatorKey(join(home, "validator.json"));
  const stored = new BlockStore(join(home, "blocks"), 0n, true);
  const store = new BlockStore(join(anew, "blocks"), 1_000_000n);
  const application = new Application({
    path: join(anew, "state"),
    machine: exchangeMachine,
    queries: exchangeQueries,
  });
  try {
    application.initChain(
      RequestInitChain.fromPartial({
        time: timestampOf(genesis.time),
        chainId,
        initialHeight: 1n,
        appStateBytes: Buffer.from(JSON.stringify(Genesis.toJSON(genesis.appState))),
      }),
    );
    const chain = new Chain(application, store, validator, genesis.time);
    expect(stored.base).toBe(1n);
    for (let height = 1n; height <= stored.height; height++) {
      const block = stored.at(height);
      if (block === undefined) throw new Error(`block ${height} is missing`);
      const { txs } = block.block.data;
      const hashes = txs.map((tx) => createHash("sha256").update(tx).digest());
      store.save(block, Block.encode(block.block).finish(), hashes);
      for (const [index, hash] of hashes.entries()) expect(stored.place(hash)).toEqual({ height, index });
      await chain.replay();
    }
    const last = application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
    const all = (one: BlockStore) => [...one.scan(Buffer.alloc(0))].map((entry) => Buffer.from(entry));
    return { appHash: Buffer.from(last.lastBlockAppHash), index: all(store), kept: all(stored) };
  } finally {
    await application.close();
    await store.close();
    await stored.close();
  }
}

describe("a node that is killed", () => {
  test("comes back with the same app hash and with everything that was committed", async () => {
    const home = makeHome();
    const wallet = await DirectSecp256k1Wallet.fromKey(new Uint8Array(32).fill(5), "dcx");
    const [account] = await wallet.getAccounts();
    if (account === undefined) throw new Error("the wallet has no account");
    const registry = new Registry(defaultRegistryTypes);
    const committed = new Map<string, number>();
    const appHashes = new Map<number, string>();
    for (const end of fc.sample(anyEnd, kills)) {
      const { child, url } = await startNode(home, account.address, end);
      const flooding = url === undefined ? undefined : flood(url).catch(() => {});
      if ("after" in end) {
        await new Promise((resolve) => setTimeout(resolve, end.after));
        child.kill("SIGKILL");
      }
      await exited(child);
      await flooding;
    }
    const { child, url = "" } = await startNode(home, account.address);
    const comet = await Comet38Client.connect(url);
    // What the earlier lives committed is all there, and leads to the same state.
    for (const [hash, height] of committed) {
      expect((await comet.tx({ hash: Buffer.from(hash, "hex") })).height).toBe(height);
    }
    for (const [height, appHash] of appHashes) {
      const { block } = await comet.block(height);
      expect(Buffer.from(block.header.appHash).toString("hex")).toBe(appHash);
    }
    comet.disconnect();
    child.kill("SIGTERM");
    await exited(child);
    expect(committed.size).toBeGreaterThan(0);

    expect(await checkHome(home)).toEqual([]);
    const { appHash, index, kept } = await replayed(home);
    expect(kept).toEqual(index);
    const database = new StateDatabase({ path: join(home, "state"), readOnly: true });
    // A killed node's last block may be in its store alone; this one was started once more.
    expect(database.last?.appHash).toEqual(appHash);
    await database.close();

    /** Sends one payment after the other until the node is gone. */
    async function flood(rpcUrl: string): Promise<never> {
      const node = await Comet38Client.connect(rpcUrl);
      const client = await SigningStargateClient.createWithSigner(node, wallet, { registry });
      const address = account?.address ?? "";
      let { sequence, accountNumber } = await client.getSequence(address);
      for (;;) {
        const amount = [{ denom: denomination, amount: "1" }];
        const payment = {
          typeUrl: "/cosmos.bank.v1beta1.MsgSend",
          value: { fromAddress: address, toAddress: address, amount },
        };
        const fee = { amount: [{ denom: denomination, amount: "100" }], gas: "200000" };
        const signed = await client.sign(address, [payment], fee, "", { accountNumber, sequence, chainId });
        const tx = TxRaw.encode(signed).finish();
        const result = await node.broadcastTxCommit({ tx });
        if (result.txResult?.code !== 0) throw new Error(`refused: ${result.checkTx.log}`);
        sequence += 1;
        committed.set(createHash("sha256").update(tx).digest("hex"), result.height);
        const { block } = await node.block();
        appHashes.set(block.header.height, Buffer.from(block.header.appHash).toString("hex"));
      }
    }
  });

  test("gives its folder back, and shares it with nobody while it runs", async () => {
    const home = makeHome();
    const wallet = await DirectSecp256k1Wallet.fromKey(new Uint8Array(32).fill(5), "dcx");
    const [account] = await wallet.getAccounts();
    const { child } = await startNode(home, account?.address ?? "");
    await expect(lockHome(home)).rejects.toThrow("another node is running");
    child.kill("SIGKILL");
    await exited(child);
    const lock = await lockHome(home);
    await lock.release();
  });
});
