import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { DirectSecp256k1Wallet, Registry, type TxBodyEncodeObject } from "@cosmjs/proto-signing";
import { defaultRegistryTypes, SigningStargateClient } from "@cosmjs/stargate";
import { Comet38Client } from "@cosmjs/tendermint-rpc";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { buildSync } from "esbuild";
import fc from "fast-check";
import { lockHome } from "./home-lock";

jest.setTimeout(120_000);

const chainId = "dcx-crash-1";
const denomination = "udcx";
const kills = 12;

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

/** Runs a node in a process of its own. */
async function startNode(home: string, address: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [program, home, chainId, address], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_PATH: join(root, "node_modules") },
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("http://")) return { child, url: line };
  }
  throw new Error("the node ended before it served");
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) =>
    child.exitCode === null && child.signalCode === null ? child.once("exit", () => resolve()) : resolve(),
  );
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
    const delays = fc.sample(fc.integer({ min: 0, max: 120 }), kills);
    for (const delay of delays) {
      const { child, url } = await startNode(home, account.address);
      const comet = await Comet38Client.connect(url);
      const client = await SigningStargateClient.createWithSigner(comet, wallet, { registry });
      // What an earlier life committed is all there, and leads to the same state.
      for (const [hash, height] of committed) {
        expect((await comet.tx({ hash: Buffer.from(hash, "hex") })).height).toBe(height);
      }
      const { sequence, accountNumber } = await client.getSequence(account.address);
      expect(sequence).toBeGreaterThanOrEqual(committed.size);
      for (const [height, appHash] of appHashes) {
        const { block } = await comet.block(height);
        expect(Buffer.from(block.header.appHash).toString("hex")).toBe(appHash);
      }
      let next = sequence;
      const flood = async () => {
        for (;;) {
          const body: TxBodyEncodeObject["value"] = {
            messages: [
              {
                typeUrl: "/cosmos.bank.v1beta1.MsgSend",
                value: {
                  fromAddress: account.address,
                  toAddress: account.address,
                  amount: [{ denom: denomination, amount: "1" }],
                },
              },
            ],
            memo: "",
          };
          const fee = { amount: [{ denom: denomination, amount: "100" }], gas: "200000" };
          const signing = { accountNumber, sequence: next, chainId };
          const signed = await client.sign(account.address, body.messages, fee, "", signing);
          const tx = TxRaw.encode(signed).finish();
          const result = await comet.broadcastTxCommit({ tx });
          if (result.txResult?.code !== 0) throw new Error(`refused: ${result.checkTx.log}`);
          next += 1;
          committed.set(createHash("sha256").update(tx).digest("hex"), result.height);
          const { block } = await comet.block();
          appHashes.set(block.header.height, Buffer.from(block.header.appHash).toString("hex"));
        }
      };
      const flooding = flood().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await exited(child);
      await flooding;
      client.disconnect();
    }
    expect(committed.size).toBeGreaterThan(0);
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
