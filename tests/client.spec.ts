import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultGenesis } from "@dcx/exchange";
import {
  type AccountSigner,
  DeploymentState,
  type ExchangeBlock,
  ExchangeErrorCode,
  ExchangeQueryClient,
  InsufficientFunds,
  messages,
  NetworkUnreachable,
  OrderState,
  pages,
  type QueryClientOptions,
  SigningExchangeClient,
  signerFromPrivateKey,
  TransactionFailed,
  TransactionRejected,
  WrongChain,
} from "@dcx/protocol";
import { Client, credentials } from "@grpc/grpc-js";
import pino from "pino";
import { smallDeployment } from "../exchange/src/gateway/testing/served-node";
import { type Exchange, engines } from "./support/exchanges";

jest.setTimeout(300_000);

/** The clients of @dcx/protocol against a real exchange, which they reach over HTTP and WebSocket only. */

const chainId = "dcx-client-1";
const initialBalance = 1_000_000_000n;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  readonly home: string;
  node: Exchange;
  readonly tenant: AccountSigner;
  readonly query: ExchangeQueryClient;
  readonly client: SigningExchangeClient;
}

/** How the exchange of the tests that run now is run. */
let engine: (typeof engines)[string];

async function startNode(home: string, tenant: string, ports?: readonly number[]): Promise<Exchange> {
  const genesis = defaultGenesis({
    chainId,
    accounts: [{ address: tenant, balance: initialBalance }],
    parameters: { blockInterval: 100n },
  });
  return engine({ home, genesis, logger: pino({ level: "silent" }), ...(ports === undefined ? {} : { ports }) });
}

async function restart(world: World): Promise<void> {
  const ports = world.node.rpcUrls.map((url) => Number(new URL(url).port));
  world.node = await startNode(world.home, world.tenant.address, ports);
}

async function connect(
  url: string | readonly string[],
  options: QueryClientOptions = {},
): Promise<ExchangeQueryClient> {
  const query = await ExchangeQueryClient.connect(url, { pollInterval: 100, ...options });
  closers.push(() => query.close());
  return query;
}

async function startWorld(): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), "dcx-client-"));
  closers.push(() => rmSync(home, { recursive: true, force: true }));
  const tenant = await signerFromPrivateKey("11".repeat(32));
  const node = await startNode(home, tenant.address);
  const query = await connect(node.rpcUrls[0]);
  const client = await SigningExchangeClient.connect(query, tenant);
  const world = { home, node, tenant, query, client };
  closers.push(() => world.node.close());
  return world;
}

/** Asks until the answer has a field. */
async function eventually(ask: () => Promise<unknown>, field: string): Promise<unknown> {
  for (;;) {
    const answer = await ask();
    if (typeof answer === "object" && answer !== null && field in answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe.each(Object.entries(engines))("on %s", (_name, start) => {
  beforeAll(() => {
    engine = start;
  });

  it("answers wallets by REST, programs by gRPC, Prometheus and supervisors", async () => {
    const { node, client, tenant } = await startWorld();
    const { hash, height } = await client.submit([smallDeployment(tenant.address, 1)]);
    const { restUrl = "", grpcAddress = "", metricsUrl = "" } = node.clients;
    const get = async (path: string): Promise<unknown> => (await fetch(`${restUrl}${path}`)).json();
    expect(await get("/cosmos/base/tendermint/v1beta1/node_info")).toMatchObject({
      default_node_info: { network: chainId },
    });
    expect(await get(`/cosmos/base/tendermint/v1beta1/blocks/${height}`)).toMatchObject({
      block: { header: { height: height.toString(), chain_id: chainId } },
    });
    expect(await get("/cosmos/base/tendermint/v1beta1/validatorsets/latest")).toMatchObject({
      validators: expect.arrayContaining([expect.objectContaining({ voting_power: expect.any(String) })]),
    });
    // CometBFT indexes a transaction some time after it has committed it.
    const found = await eventually(() => get(`/cosmos/tx/v1beta1/txs/${hash}`), "tx_response");
    expect(found).toMatchObject({ tx_response: { txhash: hash, code: 0, height: height.toString() } });
    expect(await get(`/cosmos/tx/v1beta1/txs?query=tx.height%3D${height}`)).toMatchObject({ total: "1" });
    expect(await get(`/cosmos/auth/v1beta1/accounts/${tenant.address}`)).toMatchObject({ account: { sequence: "1" } });
    expect(await get(`/dcx/exchange/v1/deployments/${tenant.address}/1`)).toMatchObject({
      deployment: { revision: "1" },
    });

    const caller = new Client(grpcAddress, credentials.createInsecure());
    closers.push(() => caller.close());
    const syncing = await new Promise((resolve, reject) => {
      const path = "/cosmos.base.tendermint.v1beta1.Service/GetSyncing";
      const asIs = (bytes: Buffer) => bytes;
      caller.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), (error, value) => {
        if (error === null) resolve(value);
        else reject(error);
      });
    });
    // False is left out.
    expect(syncing).toEqual(Buffer.alloc(0));

    const metrics = await (await fetch(`${metricsUrl}/metrics`)).text();
    expect(metrics).toMatch(/^dcx_open_orders 1$/m);
    expect(metrics).toMatch(/^dcx_validators [1-9]/m);
    expect((await fetch(`${metricsUrl}/health`)).status).toBe(200);
  });

  describe("reading the exchange", () => {
    it("sees what a transaction did, by queries, events and its hash", async () => {
      const { query, client, tenant } = await startWorld();
      const result = await client.submit([smallDeployment(tenant.address, 1), smallDeployment(tenant.address, 2)]);
      const id = { tenant: tenant.address, sequence: 1n };
      expect(result.responses).toMatchObject([
        { type: "submitDeployment", value: { id, revision: 1n, existed: false } },
        { type: "submitDeployment", value: { id: { ...id, sequence: 2n } } },
      ]);
      expect(result.events.map(({ type }) => type)).toEqual(expect.arrayContaining(["deployment", "order"]));
      expect(await query.blockEvents(result.height)).toEqual(expect.arrayContaining([...result.events]));
      // CometBFT writes its index after it has told of the block.
      expect(await eventually(() => query.transaction(result.hash), "abciCode")).toMatchObject({
        hash: result.hash,
        height: result.height,
        abciCode: 0,
      });
      expect(await query.transaction("00".repeat(32))).toBeUndefined();

      const found = await query.deployment(id);
      expect(found.deployment).toMatchObject({ state: DeploymentState.ACTIVE, revision: 1n });
      expect(found.orders).toHaveLength(1);
      expect((await query.deployment({ ...id, sequence: 9n })).deployment).toBeUndefined();
      const byToken = await query.deploymentByToken(tenant.address, new Uint8Array(32).fill(2));
      expect(byToken.deployment?.id).toEqual({ ...id, sequence: 2n });
      const order = { ...id, infrastructure: "west", generation: 1 };
      expect((await query.order(order)).order?.state).toBe(OrderState.OPEN);
      expect((await query.leases()).leases).toEqual([]);
      expect((await query.fulfillments({ datacenter: tenant.address })).fulfillments).toEqual([]);
      expect((await query.datacenters()).datacenters).toEqual([]);
      expect(await query.totals()).toMatchObject({ openOrders: 2n, activeDeployments: 2n });
      expect(await query.parameters()).toMatchObject({ chainId, addressPrefix: "dcx" });
      expect(await query.account(tenant.address)).toMatchObject({
        sequence: 1n,
        balance: initialBalance - result.fee.amount,
        publicKey: tenant.publicKey,
      });
      expect(await query.account((await signerFromPrivateKey("33".repeat(32))).address)).toBeUndefined();
    });

    it("goes through all pages", async () => {
      const { query, client, tenant } = await startWorld();
      await client.submit([1, 2, 3, 4, 5].map((token) => smallDeployment(tenant.address, token)));
      const sequences: bigint[] = [];
      const all = pages(
        (page) => query.orders({ page }),
        (answer) => answer.orders,
        2,
      );
      for await (const order of all) sequences.push(order.id?.sequence ?? 0n);
      expect(sequences).toEqual([1n, 2n, 3n, 4n, 5n]);
    });

    it("follows every block in order, over a restart of the node", async () => {
      const world = await startWorld();
      const { query, client, tenant } = world;
      const leaving = new AbortController();
      const seen: ExchangeBlock[] = [];
      let found: ExchangeBlock | undefined;
      const following = (async () => {
        for await (const block of query.blocks(leaving.signal)) {
          seen.push(block);
          if (block.events.some(({ type }) => type === "deployment")) found = block;
          if (found !== undefined && block.height >= found.height + 2n) leaving.abort();
        }
      })();
      await query.waitForHeight((await query.height()) + 2n);
      await world.node.close();
      await restart(world);
      const result = await client.submit([smallDeployment(tenant.address, 1)]);
      await following;
      expect(found?.height).toBe(result.height);
      const first = seen[0]?.height ?? 0n;
      expect(seen.map(({ height }) => height)).toEqual(seen.map((_block, index) => first + BigInt(index)));
      expect(seen.every(({ complete }) => complete)).toBe(true);
      expect(seen.every(({ time }) => Math.abs(time.getTime() - Date.now()) < 120_000)).toBe(true);
    });

    it("hears of blocks over the WebSocket as they come", async () => {
      const { node } = await startWorld();
      // It would take half a minute to ask.
      const query = await connect(node.rpcUrls[0], { pollInterval: 30_000 });
      const start = Date.now();
      await query.waitForHeight((await query.height()) + 3n);
      expect(Date.now() - start).toBeLessThan(10_000);
    });

    it("goes on with the next endpoint, and tells an unreachable network from all else", async () => {
      const { node, query } = await startWorld();
      const silent: Server = createServer(() => undefined);
      await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
      closers.push(() => {
        silent.closeAllConnections();
        silent.close();
      });
      const silentUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const closed: Server = createServer();
      await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
      const refusing = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
      await new Promise((resolve) => closed.close(resolve));
      const both = await connect([refusing, silentUrl, ...node.rpcUrls], { requestTimeout: 200 });
      expect(await both.height()).toBeGreaterThan(0n);

      const failure = await connect([refusing, silentUrl], { requestTimeout: 200, patience: 300 }).catch(
        (error) => error,
      );
      expect(failure).toBeInstanceOf(NetworkUnreachable);
      expect(failure.message).toMatch(/\(connect ECONNREFUSED .*\).*\(no answer within 200 ms\)/);
      await expect(connect(node.rpcUrls[0], { chainId: "dcx-other" })).rejects.toThrow(WrongChain);
      const leaving = AbortSignal.abort(new Error("the user left"));
      await expect(query.height({ signal: leaving })).rejects.toThrow("the user left");
      const waiting = query.waitForHeight(1_000_000n);
      query.close();
      await expect(waiting).rejects.toThrow(/closed/);
    });
  });

  describe("signing for the exchange", () => {
    it("pays what it estimated, and reports the hash before it sends", async () => {
      const { query, client, tenant } = await startWorld();
      const estimate = await client.estimateFee([smallDeployment(tenant.address, 1)], { memo: "first" });
      const signed: string[] = [];
      const result = await client.submit([smallDeployment(tenant.address, 1)], {
        memo: "first",
        onSigned: async (hash, plan) => {
          expect(await query.transaction(hash)).toBeUndefined();
          expect(plan).toMatchObject({ sequence: 0n, attempt: 1, fee: estimate });
          signed.push(hash);
        },
      });
      expect(signed).toEqual([result.hash]);
      expect(result.fee).toEqual(estimate);
      expect(result.gasUsed).toBeLessThanOrEqual(estimate.gas);
      expect((await query.totals()).feePool).toBe(estimate.amount);
    });

    it("sends one transaction after the other, however many are asked for at once", async () => {
      const { query, client, tenant } = await startWorld();
      const results = await Promise.all(
        [1, 2, 3, 4].map((token) => client.submit([smallDeployment(tenant.address, token)])),
      );
      expect(new Set(results.map(({ hash }) => hash)).size).toBe(4);
      expect((await query.account(tenant.address))?.sequence).toBe(4n);
    });

    it("has several on their way at once where it may, two programs with the same key too", async () => {
      const { node, query, tenant } = await startWorld();
      const [first, second] = [
        await SigningExchangeClient.connect(query, tenant, { inFlight: 8 }),
        await SigningExchangeClient.connect(await connect(node.rpcUrls.at(-1) ?? ""), tenant, { inFlight: 8 }),
      ];
      const alone = await Promise.all(
        Array.from({ length: 20 }, (_, token) => first.submit([smallDeployment(tenant.address, token + 1)])),
      );
      // Not a block for each, however slow the machine.
      expect(new Set(alone.map(({ height }) => height)).size).toBeLessThan(20);
      const together = await Promise.all(
        Array.from({ length: 20 }, (_, token) =>
          (token % 2 === 0 ? first : second).submit([smallDeployment(tenant.address, token + 101)]),
        ),
      );
      // The node that is asked may be a block behind the one that the second client learned it from.
      for (const { height } of together) await query.waitForHeight(height);
      expect((await query.account(tenant.address))?.sequence).toBe(40n);
      expect((await query.totals()).activeDeployments).toBe(40n);
    });

    it("gets along with another program that has the same key", async () => {
      const { node, query, client, tenant } = await startWorld();
      const other = await SigningExchangeClient.connect(await connect(node.rpcUrls[0]), tenant);
      const results = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((token) =>
          (token % 2 === 0 ? client : other).submit([smallDeployment(tenant.address, token)]),
        ),
      );
      expect(results).toHaveLength(6);
      expect((await query.account(tenant.address))?.sequence).toBe(6n);
      expect((await query.totals()).activeDeployments).toBe(6n);
    });

    it("brings a transaction through a restart of the node, once", async () => {
      const world = await startWorld();
      const { query, client, tenant } = world;
      const sending = client.submit([smallDeployment(tenant.address, 1)], {
        onSigned: () => world.node.close(),
      });
      const outcome = sending.catch((error: unknown) => error);
      await world.node.done;
      await restart(world);
      expect(await outcome).toMatchObject({ responses: [{ type: "submitDeployment", value: { existed: false } }] });
      expect((await query.account(tenant.address))?.sequence).toBe(1n);
    });

    it("sends nothing when it is cancelled before the signature, and follows when after", async () => {
      const { query, client, tenant } = await startWorld();
      const leaving = AbortSignal.abort(new Error("the user left"));
      await expect(client.submit([smallDeployment(tenant.address, 1)], { signal: leaving })).rejects.toThrow(
        "the user left",
      );
      expect((await query.account(tenant.address))?.sequence).toBe(0n);
      const late = new AbortController();
      const result = await client.submit([smallDeployment(tenant.address, 1)], {
        signal: late.signal,
        onSigned: () => late.abort(new Error("the user left")),
      });
      expect(result.responses).toHaveLength(1);
      expect((await query.account(tenant.address))?.sequence).toBe(1n);
    });

    it("tells a refusal before the block from a failure in it, with the exchange's own code", async () => {
      const { query, client, tenant } = await startWorld();
      const id = { tenant: tenant.address, sequence: 9n };
      const cancel = messages.cancelDeployment({ tenant: tenant.address, id, incarnation: 1n });
      const refused = await client.submit([cancel]).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(TransactionRejected);
      expect(refused).toMatchObject({ exchangeCode: ExchangeErrorCode.DeploymentNotFound });
      expect((await query.account(tenant.address))?.sequence).toBe(0n);
      const failed = await client.submit([cancel], { gas: 300_000n }).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(TransactionFailed);
      expect(failed).toMatchObject({ exchangeCode: ExchangeErrorCode.DeploymentNotFound, height: expect.any(BigInt) });
      expect((await query.account(tenant.address))?.sequence).toBe(1n);
    });

    it("names the account that is short of tokens", async () => {
      const { node, client, tenant, query } = await startWorld();
      const { denomination } = await query.parameters();
      const tooMuch = messages.send(tenant.address, tenant.address, initialBalance * 2n, denomination);
      await expect(client.submit([tooMuch])).rejects.toThrow(InsufficientFunds);
      const stranger = await signerFromPrivateKey("44".repeat(32));
      const poor = await SigningExchangeClient.connect(await connect(node.rpcUrls[0]), stranger);
      const failure = poor.submit([smallDeployment(stranger.address, 1)]);
      await expect(failure).rejects.toThrow(new RegExp(`Account ${stranger.address} has not enough tokens`));
    });
  });
});
