import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { defaultGenesis } from "../../application/default-genesis";
import { type EmbeddedNode, startEmbeddedNode } from "../embedded-node";

let home: string;
let node: EmbeddedNode;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "dcx-rpc-"));
  const genesis = defaultGenesis({ chainId: "dcx-rpc-1", accounts: [] });
  node = await startEmbeddedNode({ home, genesis, rpc: {}, logger: pino({ level: "silent" }) });
});
afterAll(async () => {
  await node.close();
  rmSync(home, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function send(path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  const url = new URL(path, node.rpcUrl);
  return new Promise((resolve, reject) => {
    const call = request(url, { method: body === undefined ? "GET" : "POST", headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    call.on("error", reject);
    call.end(body);
  });
}

async function post(body: unknown): Promise<unknown> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return JSON.parse((await send("/", {}, text)).body);
}

const call = (method: string, params: unknown = {}) => ({ jsonrpc: "2.0", id: 1, method, params });

describe("the node's JSON-RPC", () => {
  test("is not open to pages of other sites, nor to names that point here", async () => {
    const port = new URL(node.rpcUrl).port;
    expect((await send("/health", { host: `attacker.example:${port}` })).status).toBe(403);
    expect((await send("/health", { origin: "https://attacker.example" })).status).toBe(403);
    expect((await send("/health", { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await send("/health", { host: `localhost:${port}` })).status).toBe(200);
    expect((await send("/health", { origin: node.rpcUrl })).status).toBe(200);
    const upgrade = { connection: "upgrade", upgrade: "websocket", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" };
    const socket = { ...upgrade, "sec-websocket-version": "13", origin: "https://attacker.example" };
    expect((await send("/websocket", socket)).status).toBe(403);
  });

  test("answers bad input with errors of JSON-RPC and goes on", async () => {
    const code = (n: number) => expect.objectContaining({ error: expect.objectContaining({ code: n }) });
    expect(await post("{")).toEqual(code(-32700));
    expect(await post("[]")).toEqual(code(-32600));
    expect(await post({ method: "status" })).toEqual(code(-32600));
    expect(await post(Array.from({ length: 100 }, () => call("health")))).toEqual(code(-32600));
    expect(await post(call("nothing"))).toEqual(code(-32601));
    expect(await post(call("constructor"))).toEqual(code(-32601));
    expect(await post(call("block", { height: "abc" }))).toEqual(code(-32602));
    expect(await post(call("block", { height: "999999" }))).toEqual(code(-32603));
    expect(await post(call("tx", { hash: "!" }))).toEqual(code(-32602));
    expect(await post(call("tx_search", { query: "a=b=c" }))).toEqual(code(-32602));
    expect(await post(call("abci_query", { path: "/x", data: "zz" }))).toEqual(code(-32602));
    expect(await post(call("broadcast_tx_sync", { tx: Buffer.from("junk").toString("base64") }))).toEqual(
      expect.objectContaining({ result: expect.objectContaining({ code: 2, codespace: "sdk" }) }),
    );
    expect(await post([call("health"), call("nothing")])).toEqual([
      expect.objectContaining({ result: {} }),
      code(-32601),
    ]);
    expect((await send("/", {}, "x".repeat(9 * 1024 * 1024)).catch(() => ({ status: 413 }))).status).toBe(413);
    expect((await send("/health", {})).status).toBe(200);
  });

  test("reads parameters from a URI as CometBFT does", async () => {
    const block = JSON.parse((await send("/block?height=1", {})).body);
    expect(block.result.block.header.height).toBe("1");
    const byHash = JSON.parse((await send(`/block_by_hash?hash=0x${block.result.block_id.hash}`, {})).body);
    expect(byHash.result.block.header.height).toBe("1");
    const search = JSON.parse((await send('/block_search?query="block.height=1"', {})).body);
    expect(search.result.total_count).toBe("1");
    const query = JSON.parse(
      (await send('/abci_query?path="/dcx.exchange.v1.Query/Totals"&data=0x&height=0', {})).body,
    );
    expect(query.result.response).toMatchObject({ code: 0, height: expect.stringMatching(/^[1-9]/) });
  });
});
