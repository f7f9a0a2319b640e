import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { heldBy } from "../cancellation/testing/held-by";
import { NetworkUnreachable, QueryFailed, WrongChain } from "./errors";
import { ExchangeQueryClient } from "./exchange-query-client";

/** What one node says of itself, to be changed while it runs. */
interface FakeNode {
  readonly url: string;
  chain: string;
  height: bigint;
  catchingUp: boolean;
  /** What its CometBFT says instead of an answer from the application. */
  failure: string | undefined;
  /** Methods that it was asked, in order. */
  readonly asked: string[];
  stop(): void;
}

const Call = z.object({ id: z.number(), method: z.string() });
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function node(given: Partial<Pick<FakeNode, "chain" | "height" | "catchingUp">> = {}): Promise<FakeNode> {
  const server: Server = createServer((request, response) => {
    void (async () => {
      if (request.method !== "POST") {
        response.writeHead(404).end();
        return;
      }
      const { id, method } = Call.parse(JSON.parse(await text(request)));
      fake.asked.push(method);
      if (fake.failure !== undefined && method !== "status") {
        const error = { code: -32603, message: "Internal error", data: fake.failure };
        response.writeHead(500).end(JSON.stringify({ jsonrpc: "2.0", id, error }));
        return;
      }
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result: answerOf(fake, method) }));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  closers.push(stop);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fake: FakeNode = {
    url,
    chain: "dcx-1",
    height: 100n,
    catchingUp: false,
    failure: undefined,
    asked: [],
    stop,
    ...given,
  };
  return fake;
}

function answerOf({ chain, height, catchingUp }: FakeNode, method: string): unknown {
  switch (method) {
    case "status":
      return {
        node_info: { network: chain },
        sync_info: {
          latest_block_height: height.toString(),
          latest_block_time: "2026-01-01T00:00:00Z",
          catching_up: catchingUp,
        },
      };
    case "blockchain":
      return { block_metas: [{ header: { height: height.toString(), time: "2026-01-01T00:00:00Z" } }] };
    case "block_results":
      return { height: height.toString(), txs_results: [], finalize_block_events: [] };
    case "abci_query":
      return { response: { code: 0, height: height.toString() } };
    default:
      return { code: 0, codespace: "", log: "", hash: "" };
  }
}

const options = { patience: 400, requestTimeout: 200, pollInterval: 20 };

async function connect(nodes: readonly FakeNode[], chainId?: string): Promise<ExchangeQueryClient> {
  const urls = nodes.map(({ url }) => url);
  const client = await ExchangeQueryClient.connect(urls, { ...options, ...(chainId === undefined ? {} : { chainId }) });
  closers.push(() => client.close());
  return client;
}

const read = (client: ExchangeQueryClient) => client.abciQuery("/path", new Uint8Array());

describe("several endpoints", () => {
  it("are asked in their order, each for what the one before did not answer", async () => {
    const [first, second] = [await node(), await node()];
    const client = await connect([first, second]);
    await read(client);
    expect(second.asked).not.toContain("abci_query");
    first.stop();
    expect(await read(client)).toMatchObject({ code: 0, height: 100n });
    expect(second.asked).toContain("abci_query");
  });

  it("are left where CometBFT runs on for a moment without its application", async () => {
    const [first, second] = [await node(), await node()];
    const client = await connect([first, second]);
    await read(client);
    first.failure = "read message: read unix @->/run/application.sock: read: connection reset by peer";
    expect(await read(client)).toMatchObject({ code: 0, height: 100n });
    expect(second.asked).toContain("abci_query");
    second.failure = "write to buffer: broken pipe";
    await expect(client.broadcast(new Uint8Array([1]))).rejects.toThrow(/its exchange process has ended/);
    // What the node itself refuses, another would refuse as well.
    first.failure = "height 200 must be less than or equal to the current blockchain height 100";
    await expect(read(client)).rejects.toThrow(QueryFailed);
  });

  it("get a transaction that the one before did not answer for, when it is offered again", async () => {
    const [first, second] = [await node(), await node()];
    const client = await connect([first, second]);
    await read(client);
    first.stop();
    // Whether the first got it is not known, so nobody else is asked at once.
    await expect(client.broadcast(new Uint8Array([1]))).rejects.toThrow(NetworkUnreachable);
    expect(second.asked).not.toContain("broadcast_tx_sync");
    expect(await client.broadcast(new Uint8Array([1]))).toMatchObject({ abciCode: 0 });
    expect(second.asked).toContain("broadcast_tx_sync");
  });

  it("that are of another chain are left out, and are an error where there are no others", async () => {
    const [other, own] = [await node({ chain: "dcx-other" }), await node()];
    const client = await connect([other, own], "dcx-1");
    await read(client);
    expect(other.asked).toEqual(["status"]);
    own.stop();
    const error = await read(client).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NetworkUnreachable);
    expect(String(error)).toMatch(/is a node of chain dcx-other, not of dcx-1/);
    await expect(connect([other, await node({ chain: "dcx-third" })], "dcx-1")).rejects.toThrow(WrongChain);
    await expect(connect([other], "dcx-1")).rejects.toThrow(WrongChain);
  });

  it("that are of two chains are refused where nobody says which is meant", async () => {
    await expect(connect([await node(), await node({ chain: "dcx-other" })])).rejects.toThrow(
      /is a node of chain dcx-other, not of dcx-1/,
    );
  });

  it("are not begun with at one that is behind or still catching up", async () => {
    const [behind, syncing, good] = [await node({ height: 90n }), await node({ catchingUp: true }), await node()];
    const client = await connect([behind, syncing, good]);
    expect((await read(client)).height).toBe(100n);
    expect([behind.asked, syncing.asked]).toEqual([["status"], ["status"]]);
  });

  it("may be a block or two apart", async () => {
    const [first, second] = [await node({ height: 98n }), await node()];
    await connect([first, second]);
    expect(first.asked).toEqual(["status", "status"]);
    expect(second.asked).toEqual(["status"]);
  });

  it("never answer from before what was seen already", async () => {
    const [first, second] = [await node({ height: 101n }), await node({ height: 100n })];
    const client = await connect([first, second]);
    expect((await read(client)).height).toBe(101n);
    first.stop();
    const reading = read(client);
    setTimeout(() => {
      second.height = 101n;
    }, 100);
    expect((await reading).height).toBe(101n);
    second.height = 99n;
    await expect(read(client)).rejects.toThrow(/is behind: at block 99, and block 101 has been seen/);
  });

  it("tell of new blocks though the one that is listened to has lost the others", async () => {
    const [stalled, good] = [await node(), await node()];
    const client = await connect([stalled, good]);
    const waiting = client.waitForHeight(105n);
    good.height = 105n;
    expect(await waiting).toBe(105n);
    expect((await read(client)).height).toBe(105n);
    expect(good.asked).toContain("abci_query");
  });
});

it("a node that answers without end is left for another, and takes no memory that matters", async () => {
  const block = Buffer.alloc(1 << 20, 32);
  let sent = 0;
  const endless = createServer((_request, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(block)) sent += block.length;
    };
    response.on("drain", more).on("error", () => undefined);
    more();
  });
  await new Promise<void>((resolve) => endless.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    endless.closeAllConnections();
    endless.close();
  });
  const url = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`;
  const failure = await ExchangeQueryClient.connect(url, { patience: 50, requestTimeout: 20_000 }).catch(String);
  expect(failure).toMatch(/its answer has more than \d+ bytes/);
  expect(sent).toBeLessThan(512 << 20);
});

it("a node that is catching up speaks of itself, and of nothing else", async () => {
  const client = await connect([await node({ catchingUp: true, height: 7n })]);
  expect(await client.status()).toMatchObject({ height: 7n, catchingUp: true });
  await expect(read(client)).rejects.toThrow(/is still catching up, at block 7/);
});

it("what a URL holds beside its address is in no message", async () => {
  const down = await node();
  down.stop();
  const url = new URL(down.url);
  Object.assign(url, { username: "user", password: "hush", search: "?token=hush" });
  const error = await ExchangeQueryClient.connect(url.href, options).catch(String);
  expect(error).toMatch(/can't be reached: http:\/\/127.0.0.1:\d+\/\?… /);
  expect(error).not.toContain("hush");
});

it("nothing is left on signals that outlive the calls, the iterations and the client", async () => {
  const fakes = [await node(), await node()];
  const urls = fakes.map(({ url }) => url);
  const process = new AbortController();
  const caller = new AbortController();
  const client = await ExchangeQueryClient.connect(urls, { ...options, signal: process.signal });
  closers.push(() => client.close());
  const { signal } = caller;
  const before = [heldBy(process.signal), heldBy(signal)];
  for (let call = 0; call < 250; call += 1) {
    await client.abciQuery("/path", new Uint8Array(), { signal });
    await client.broadcast(new Uint8Array([1]), { signal });
    await client.waitForHeight(100n, { signal });
    for await (const { height } of client.blocks(signal, 100n)) if (height === 100n) break;
  }
  expect([heldBy(process.signal), heldBy(signal)]).toEqual(before);
  expect(before[1]).toBe(0);
  await expect(
    ExchangeQueryClient.connect(urls, { ...options, chainId: "dcx-other", signal: process.signal }),
  ).rejects.toThrow(WrongChain);
  expect(heldBy(process.signal)).toBe(before[0]);
  client.close();
  expect(heldBy(process.signal)).toBe(0);
});
