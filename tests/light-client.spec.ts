import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultGenesis } from "@dcx/exchange";
import { ExchangeQueryClient, headerHash, messages, SigningExchangeClient, signerFromPrivateKey } from "@dcx/protocol";
import pino from "pino";
import { z } from "zod";
import { headersFrom } from "../datacenter/src/chain/light-client/answers";
import { LightClient } from "../datacenter/src/chain/light-client/light-client";
import { ProvenReads } from "../datacenter/src/chain/proven-reads";
import { buildCometbft, type Exchange, engines } from "./support/exchanges";
import { freePorts } from "./support/ports";
import { eventually } from "./support/world";

jest.setTimeout(300_000);

const chainId = "dcx-light-1";
const Block = z.object({
  result: z.object({
    block_id: z.object({ hash: z.string() }),
    block: z.object({ header: z.object({ height: z.coerce.bigint() }), data: z.object({ txs: z.array(z.string()) }) }),
  }),
});

async function blockOf(url: string, height: bigint) {
  const response = await fetch(`${url}/block?height=${height}`, { signal: AbortSignal.timeout(10_000) });
  return Block.parse(await response.json()).result;
}

/** CometBFT's own light client: it hands on only what the validators' signatures vouch for. */
describe.each(Object.entries(engines))("light clients on %s: the stock one", (_name, start) => {
  let folder: string;
  let exchange: Exchange;
  let query: ExchangeQueryClient;
  let light: ChildProcess | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-light-"));
    const signer = await signerFromPrivateKey("2a".repeat(32));
    const genesis = defaultGenesis({
      chainId,
      accounts: [{ address: signer.address, balance: 1_000_000_000n }],
      parameters: { blockInterval: 100n },
    });
    exchange = await start({ home: folder, genesis, logger: pino({ level: "silent" }) });
    query = await ExchangeQueryClient.connect(exchange.rpcUrls);
  });

  afterAll(async () => {
    if (light !== undefined && light.exitCode === null) {
      const gone = once(light, "exit");
      light.kill("SIGTERM");
      await gone;
    }
    query?.close();
    await exchange?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("verifies headers, transactions and results from a block that is trusted", async () => {
    const signer = await signerFromPrivateKey("2a".repeat(32));
    const client = await SigningExchangeClient.connect(query, signer);
    const { denomination } = await query.parameters();
    const [primary] = exchange.rpcUrls;
    const trusted = await blockOf(primary, await query.height());
    const [port] = await freePorts(1);
    const witness = exchange.rpcUrls.at(-1) ?? primary;
    const logFile = join(folder, "light.log");
    const log = openSync(logFile, "a");
    const options = [
      ...["--primary", primary, "--witnesses", witness, "--laddr", `tcp://127.0.0.1:${port}`],
      ...["--height", trusted.block.header.height.toString(), "--hash", trusted.block_id.hash],
      ...["--home-dir", join(folder, "light"), "--home", join(folder, "light")],
    ];
    light = spawn(await buildCometbft(), ["light", chainId, ...options], { stdio: ["ignore", log, log] });
    closeSync(log);
    const url = `http://127.0.0.1:${port}`;

    const sent = await client.submit([messages.send(signer.address, signer.address, 1n, denomination)]);
    // The results of a block are vouched for by the header of the next.
    await query.waitForHeight(sent.height + 2n);
    const verified = await eventually("it verifies the block", 120_000, () => blockOf(url, sent.height)).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${readFileSync(logFile, "utf8").slice(-3_000)}`);
      },
    );
    expect(verified).toEqual(await blockOf(primary, sent.height));
    expect(verified.block.data.txs).toHaveLength(1);
    const results = await fetch(`${url}/block_results?height=${sent.height}`);
    expect(await results.json()).toMatchObject({ result: { txs_results: [{ code: 0 }] } });
  });

  test("and the one of a datacenter verify the same blocks, and what the state holds and does not hold", async () => {
    const signal = AbortSignal.timeout(60_000);
    const [primary] = exchange.rpcUrls;
    const trusted = await blockOf(primary, 1n);
    const begin = () =>
      new LightClient({
        chainId,
        root: { height: 1n, hash: Buffer.from(trusted.block_id.hash, "hex") },
        trustingPeriod: 3_600_000,
        clockDrift: 10_000,
        source: headersFrom(query),
        store: { read: () => undefined, write: () => {} },
      });
    const light = begin();
    const height = await query.waitForHeight(5n);
    const header = await light.header(height, signal);
    expect(Buffer.from(headerHash(header)).toString("hex").toUpperCase()).toBe(
      (await blockOf(primary, height)).block_id.hash,
    );
    // Every block between follows too.
    const each = begin();
    for (let at = 2n; at <= height; at += 1n) expect((await each.header(at, signal)).height).toBe(at);
    const reads = new ProvenReads(query, light);
    expect((await reads.parameters(signal)).value.blockInterval).toBe(100n);
    const { address } = await signerFromPrivateKey("2a".repeat(32));
    expect((await reads.datacenter(address, signal)).value).toBeUndefined();
  });
});
