import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirectSecp256k1Wallet, type EncodeObject, Registry } from "@cosmjs/proto-signing";
import { defaultRegistryTypes, SigningStargateClient, StargateClient } from "@cosmjs/stargate";
import { Comet38Client } from "@cosmjs/tendermint-rpc";
import {
  MsgSubmitDeployment,
  MsgSubmitDeploymentResponse,
  MsgSubmitLease,
  QueryDeploymentRequest,
  QueryDeploymentResponse,
} from "@dcx/protocol";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import pino from "pino";
import { Application } from "../application";
import { defaultGenesis } from "../application/default-genesis";
import { smallDeployment } from "../gateway/testing/served-node";
import { checkHome } from "./check-home";
import { type EmbeddedNode, startEmbeddedNode } from "./embedded-node";

const chainId = "dcx-spec-1";
const denomination = "udcx";
const gasPrice = { denom: denomination, amount: "2000" };
const fee = { amount: [gasPrice], gas: "400000" };

interface World {
  readonly home: string;
  readonly node: EmbeddedNode;
  readonly sender: string;
  readonly wallet: DirectSecp256k1Wallet;
}

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function makeWallet(fill: number): Promise<{ wallet: DirectSecp256k1Wallet; address: string }> {
  const wallet = await DirectSecp256k1Wallet.fromKey(new Uint8Array(32).fill(fill), "dcx");
  const [account] = await wallet.getAccounts();
  if (account === undefined) throw new Error("the wallet has no account");
  return { wallet, address: account.address };
}

async function startWorld(): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), "dcx-node-"));
  closers.push(() => rmSync(home, { recursive: true, force: true }));
  const { wallet, address: sender } = await makeWallet(1);
  const genesis = defaultGenesis({
    chainId,
    accounts: [{ address: sender, balance: 1_000_000_000n }],
    parameters: { blockInterval: 100n },
  });
  const node = await startEmbeddedNode({ home, genesis, rpc: {}, logger: pino({ level: "silent" }) });
  closers.push(() => node.close());
  return { home, node, sender, wallet };
}

async function signingClient(world: World): Promise<SigningStargateClient> {
  const registry = new Registry([
    ...defaultRegistryTypes,
    ["/dcx.exchange.v1.MsgSubmitDeployment", MsgSubmitDeployment],
    ["/dcx.exchange.v1.MsgSubmitLease", MsgSubmitLease],
  ]);
  const client = await SigningStargateClient.connectWithSigner(world.node.rpcUrl, world.wallet, {
    registry,
    broadcastPollIntervalMs: 50,
  });
  closers.push(() => client.disconnect());
  return client;
}

async function cometClient(url: string): Promise<Comet38Client> {
  const client = await Comet38Client.connect(url);
  closers.push(() => disconnectForGood(client));
  return client;
}

/** cosmjs 0.39 sets out to reconnect a WebSocket that it was told to disconnect: this takes its timer away. */
function disconnectForGood(client: Comet38Client): void {
  const timers = jest.spyOn(globalThis, "setTimeout");
  client.disconnect();
  for (const { value } of timers.mock.results) clearTimeout(value);
  timers.mockRestore();
}

describe("an embedded node under the unmodified clients of cosmjs", () => {
  test("sends tokens, finds the transaction and shows the balances", async () => {
    const world = await startWorld();
    const { address: recipient } = await makeWallet(2);
    const client = await signingClient(world);
    expect(await client.getChainId()).toBe(chainId);
    const sent = await client.sendTokens(
      world.sender,
      recipient,
      [{ denom: denomination, amount: "12345" }],
      fee,
      "hello",
    );
    expect(sent).toMatchObject({ code: 0, txIndex: 0 });
    const reader = await StargateClient.connect(world.node.rpcUrl);
    closers.push(() => reader.disconnect());
    expect(await reader.getBalance(recipient, denomination)).toEqual({ denom: denomination, amount: "12345" });
    expect(await reader.getAllBalances(recipient)).toEqual([{ denom: denomination, amount: "12345" }]);
    expect(await reader.getSequence(world.sender)).toEqual({ accountNumber: 0n, sequence: 1 });
    expect(await reader.getAccount((await makeWallet(3)).address)).toBeNull();
    const found = await reader.getTx(sent.transactionHash);
    expect(found).toMatchObject({ height: sent.height, code: 0, hash: sent.transactionHash });
    expect(await reader.searchTx(`message.sender='${world.sender}' AND tx.height>=${sent.height}`)).toHaveLength(1);
    expect(await reader.searchTx([{ key: "transfer.recipient", value: recipient }])).toHaveLength(1);
    expect(await reader.searchTx(`transfer.recipient='${world.sender}'`)).toHaveLength(0);
    expect((await reader.getBlock(sent.height)).txs).toHaveLength(1);
    // A simulation charges what the block did.
    const message = {
      typeUrl: "/cosmos.bank.v1beta1.MsgSend",
      value: { fromAddress: world.sender, toAddress: recipient, amount: [{ denom: denomination, amount: "12345" }] },
    };
    const estimate = await client.simulate(world.sender, [message], "hello");
    const again = await client.signAndBroadcast(world.sender, [message], { ...fee, gas: estimate.toString() }, "hello");
    expect(again).toMatchObject({ code: 0 });
    expect(again.gasUsed).toBe(BigInt(estimate));
  });

  test("takes the exchange's own messages through a registry", async () => {
    const world = await startWorld();
    const client = await signingClient(world);
    const result = await client.signAndBroadcast(world.sender, [smallDeployment(world.sender, 9)], fee);
    expect(result).toMatchObject({ code: 0 });
    const [response] = result.msgResponses;
    const { id } = MsgSubmitDeploymentResponse.decode(response?.value ?? new Uint8Array());
    expect(id).toEqual({ tenant: world.sender, sequence: 1n });
    const comet = await cometClient(world.node.rpcUrl);
    const answer = await comet.abciQuery({
      path: "/dcx.exchange.v1.Query/Deployment",
      data: QueryDeploymentRequest.encode({ id }).finish(),
    });
    const { deployment: found, orders } = QueryDeploymentResponse.decode(answer.value);
    expect(found?.revision).toBe(1n);
    expect(orders).toHaveLength(1);
  });

  test("refuses what is not in order, with the codes that clients know", async () => {
    const world = await startWorld();
    const client = await signingClient(world);
    const send = (amount: string) => [
      {
        typeUrl: "/cosmos.bank.v1beta1.MsgSend",
        value: { fromAddress: world.sender, toAddress: world.sender, amount: [{ denom: denomination, amount }] },
      },
    ];
    const broadcast = async (
      messages: readonly EncodeObject[],
      given: typeof fee,
      sequence: number,
      chain = chainId,
    ) => {
      const { accountNumber } = await client.getSequence(world.sender);
      const signed = await client.sign(world.sender, messages, given, "", { accountNumber, sequence, chainId: chain });
      const comet = await cometClient(world.node.rpcUrl);
      return comet.broadcastTxSync({ tx: TxRaw.encode(signed).finish() });
    };
    expect(await broadcast(send("1"), fee, 5)).toMatchObject({ code: 32, codespace: "sdk" });
    expect(await broadcast(send("1"), fee, 0, "other-chain")).toMatchObject({ code: 4 });
    expect(await broadcast(send("1"), { amount: [], gas: "400000" }, 0)).toMatchObject({ code: 13 });
    expect(
      await broadcast(send("1"), { amount: [{ denom: denomination, amount: "5000" }], gas: "46000000" }, 0),
    ).toMatchObject({
      code: 41,
    });
    const lease = { typeUrl: "/dcx.exchange.v1.MsgSubmitLease", value: MsgSubmitLease.fromPartial({}) };
    expect(await broadcast([lease], fee, 0)).toMatchObject({ code: 4 });
    // Fee and sequence are kept even when the message fails, and nothing else.
    const failed = await client.signAndBroadcast(world.sender, send("999999999999"), fee);
    expect(failed).toMatchObject({ code: 6 });
    const balance = await client.getBalance(world.sender, denomination);
    expect(balance.amount).toBe("999998000");
    expect((await client.getSequence(world.sender)).sequence).toBe(1);
    const exhausted = await client.signAndBroadcast(world.sender, send("1"), { amount: [gasPrice], gas: "5000" });
    expect(exhausted).toMatchObject({ code: 11 });
  });

  test("answers every method of Comet38Client and tells subscribers", async () => {
    const world = await startWorld();
    const comet = await cometClient(world.node.rpcUrl);
    const socket = await cometClient(world.node.rpcUrl.replace("http", "ws"));
    const next = <T>(stream: { addListener(listener: { next(value: T): void; error(error: unknown): void }): void }) =>
      new Promise<T>((resolve, reject) => stream.addListener({ next: resolve, error: reject }));
    const newBlock = next(socket.subscribeNewBlock());
    const newHeader = next(socket.subscribeNewBlockHeader());
    const newTransaction = next(socket.subscribeTx(`message.sender='${world.sender}'`));
    await socket.health();
    const client = await signingClient(world);
    const sent = await client.sendTokens(world.sender, world.sender, [{ denom: denomination, amount: "1" }], fee);
    expect((await newTransaction).height).toBe(sent.height);
    expect((await newBlock).header.chainId).toBe(chainId);
    expect((await newHeader).height).toBeGreaterThan(0);
    const status = await comet.status();
    expect(status.nodeInfo.network).toBe(chainId);
    expect((await comet.abciInfo()).lastBlockHeight).toBeGreaterThanOrEqual(sent.height);
    const { block, blockId } = await comet.block(sent.height);
    expect(block.txs).toHaveLength(1);
    const results = await comet.blockResults(sent.height);
    expect(results.results[0]).toMatchObject({ code: 0 });
    const commit = await comet.commit(sent.height);
    expect(commit.commit.blockId).toEqual(blockId);
    expect((await comet.blockchain(1, sent.height)).blockMetas.at(-1)?.header.height).toBe(1);
    expect((await comet.validators({ height: 1 })).validators).toHaveLength(1);
    expect((await comet.genesis()).chainId).toBe(chainId);
    expect((await comet.numUnconfirmedTxs()).total).toBe(0);
    expect((await comet.blockSearch({ query: `block.height=${sent.height}` })).totalCount).toBe(1);
    const hash = Buffer.from(sent.transactionHash, "hex");
    const found = await comet.tx({ hash, prove: true });
    expect(found.proof?.rootHash).toEqual(block.header.dataHash);
    expect((await comet.txSearch({ query: `tx.height=${sent.height}`, order_by: "desc" })).totalCount).toBe(1);
    expect((await comet.txSearchAll({ query: "tx.height>0" })).totalCount).toBe(1);
    const { accountNumber, sequence } = await client.getSequence(world.sender);
    const signed = await client.sign(
      world.sender,
      [
        {
          typeUrl: "/cosmos.bank.v1beta1.MsgSend",
          value: { fromAddress: world.sender, toAddress: world.sender, amount: [{ denom: denomination, amount: "1" }] },
        },
      ],
      fee,
      "",
      { accountNumber, sequence, chainId },
    );
    const committed = await comet.broadcastTxCommit({ tx: TxRaw.encode(signed).finish() });
    expect(committed.txResult).toMatchObject({ code: 0 });
    expect(committed.height).toBeGreaterThan(sent.height);
  });

  test("executes again what it had stored but not committed when it was stopped", async () => {
    const world = await startWorld();
    const client = await signingClient(world);
    const sent = await client.sendTokens(world.sender, world.sender, [{ denom: denomination, amount: "1" }], fee);
    const commit = jest.spyOn(Application.prototype, "commit").mockImplementation(() => {
      throw new Error("the disk is full");
    });
    await expect(world.node.done).rejects.toThrow("the disk is full");
    commit.mockRestore();
    await world.node.close();
    const replay = jest.spyOn(Application.prototype, "finalizeBlock");
    const again = await startEmbeddedNode({ home: world.home, rpc: {}, logger: pino({ level: "silent" }) });
    closers.push(() => again.close());
    expect(replay).toHaveBeenCalledTimes(1);
    replay.mockRestore();
    const comet = await cometClient(again.rpcUrl);
    const { height } = again;
    expect(Number(height)).toBeGreaterThan(sent.height);
    const { lastBlockAppHash } = await comet.abciInfo();
    const { block } = await comet.block(Number(height));
    expect(block.header.height).toBe(Number(height));
    expect((await comet.status()).syncInfo.latestAppHash).toEqual(lastBlockAppHash);
  });

  test("executes again as many blocks as its state lacks, and refuses a state that is not of its blocks", async () => {
    const world = await startWorld();
    const state = join(world.home, "state");
    const start = async (retainedBlocks?: bigint) => {
      const node = await startEmbeddedNode({
        home: world.home,
        rpc: {},
        logger: pino({ level: "silent" }),
        ...(retainedBlocks === undefined ? {} : { retainedBlocks }),
      });
      closers.push(() => node.close());
      return node;
    };
    const pay = async (node: EmbeddedNode) => {
      const client = await signingClient({ ...world, node });
      for (let count = 0; count < 4; count++)
        await client.sendTokens(world.sender, world.sender, [{ denom: denomination, amount: "1" }], fee);
    };
    await pay(world.node);
    await world.node.close();
    cpSync(state, join(world.home, "earlier"), { recursive: true });
    const second = await start();
    await pay(second);
    await second.close();
    const end = second.height;
    renameSync(state, join(world.home, "last"));
    cpSync(join(world.home, "earlier"), state, { recursive: true });

    const replay = jest.spyOn(Application.prototype, "finalizeBlock");
    const third = await start();
    expect(replay.mock.calls.length).toBeGreaterThanOrEqual(4);
    replay.mockRestore();
    expect(third.height).toBeGreaterThanOrEqual(end);
    await third.close();
    expect(await checkHome(world.home)).toEqual([]);

    // The blocks that an older state would need are gone.
    const fourth = await start(2n);
    await pay(fourth);
    await fourth.close();
    rmSync(state, { recursive: true });
    cpSync(join(world.home, "earlier"), state, { recursive: true });
    await expect(start()).rejects.toThrow(/the state is at block \d+, the blocks are \d+ to \d+: the folder was put/);
    // A state that is ahead of its blocks.
    rmSync(state, { recursive: true });
    renameSync(join(world.home, "last"), state);
    rmSync(join(world.home, "blocks"), { recursive: true });
    await expect(start()).rejects.toThrow(/the state is at block \d+, the blocks are 0 to 0: the folder was put/);
  });

  test("makes no block sooner than the interval, however much is sent", async () => {
    const world = await startWorld();
    const client = await signingClient(world);
    const comet = await cometClient(world.node.rpcUrl);
    for (let n = 0; n < 4; n++) {
      await client.sendTokens(world.sender, world.sender, [{ denom: denomination, amount: "1" }], fee);
    }
    const { blockMetas } = await comet.blockchain(2, Number(world.node.height));
    const times = blockMetas.map((meta) => meta.header.time.getTime()).reverse();
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(gaps.length).toBeGreaterThan(2);
    // The clock that stamps blocks and the one that paces them differ by rounding.
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(98);
  });
});
