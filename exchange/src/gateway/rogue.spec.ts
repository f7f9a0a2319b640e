import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { messages } from "@dcx/protocol";
import pino from "pino";
import { WebSocket } from "ws";
import { type ServedNode, startServedNode } from "./testing/served-node";

jest.setTimeout(120_000);

const log: { readonly msg: string; readonly code?: string }[] = [];
const logger = pino({ level: "info" }, { write: (line: string) => void log.push(JSON.parse(line)) });
let served: ServedNode;
const sockets: Socket[] = [];

beforeAll(async () => {
  served = await startServedNode({ rest: {} }, logger);
});
beforeEach(() => {
  log.length = 0;
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => served.close());

async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  sockets.push(socket.on("error", () => undefined));
  await once(socket, "connect");
  return socket;
}

/** All that is answered until the node closes. */
async function answerTo(url: string, text: string): Promise<string> {
  const socket = await open(url);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  socket.write(text);
  await once(socket, "close");
  return answer;
}

/** What a stranger does to a node's port, which anybody may reach. */
describe.each<[string, () => string, string, number]>([
  ["JSON-RPC", () => served.node.rpcUrl, "/", 8 * 2 ** 20],
  ["REST", () => served.node.clients.restUrl ?? "", "/cosmos/tx/v1beta1/txs", 2 * 2 ** 20],
])("a node's %s, to a rogue", (_what, url, path, mostBytes) => {
  it("malformed: answers 400 and says so", async () => {
    expect(await answerTo(url(), "\0\0 nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(log).toMatchObject([{ msg: "a request could not be read", code: expect.stringMatching(/^HPE_/) }]);
  });

  it("oversized: answers 431 to headers without end, and says so", async () => {
    const answer = await answerTo(url(), `GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ${"y".repeat(64 * 1024)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(log).toMatchObject([{ code: "HPE_HEADER_OVERFLOW" }]);
  });

  it("oversized: reads no more of a body than it may have", async () => {
    const { host } = new URL(url());
    const socket = await open(url());
    const head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`;
    socket.write(`${head}content-length: ${2 ** 32}\r\n\r\n`);
    const closed = once(socket, "close");
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    const chunk = Buffer.alloc(65_536, 32);
    for (let sent = 0; sent <= mostBytes && !socket.destroyed && answer === ""; sent += chunk.length) {
      if (!socket.write(chunk)) await Promise.race([once(socket, "drain"), closed]);
    }
    if (answer === "") await Promise.race([once(socket, "data"), closed]);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  it("slow and half-open: closes what does not come in time, and says so", async () => {
    const silent = await open(url());
    const slow = await open(url());
    slow.write("GET / HTTP/1.1\r\nx: ");
    const dribble = setInterval(() => slow.write("y"), 200);
    await Promise.all([once(slow.resume(), "close"), once(silent.resume(), "close")]);
    clearInterval(dribble);
    expect(log).toContainEqual(expect.objectContaining({ code: "ERR_HTTP_REQUEST_TIMEOUT" }));
  });
});

describe("a node's WebSocket, to a rogue", () => {
  const url = () => `${served.node.rpcUrl.replace("http", "ws")}/websocket`;

  it.each<[string, (socket: WebSocket) => void, number]>([
    ["oversized", (socket) => socket.send("x".repeat(9 * 2 ** 20)), 1009],
    [
      "malformed",
      // A frame with a reserved bit.
      (socket) => (socket as unknown as { _socket: Socket })._socket.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0])),
      1002,
    ],
  ])("%s: is closed", async (_what, act, code) => {
    const socket = new WebSocket(url());
    await once(socket, "open");
    socket.on("error", () => undefined);
    act(socket);
    const [closedWith] = await once(socket, "close");
    expect([code, 1006]).toContain(closedWith);
  });

  it("that asks for more subscriptions than there may be is refused them", async () => {
    const socket = new WebSocket(url());
    await once(socket, "open");
    const answers: string[] = [];
    socket.on("message", (data) => answers.push(String(data)));
    for (let index = 0; index < 40; index++) {
      socket.send(
        JSON.stringify({
          jsonrpc: "2.0",
          id: index,
          method: "subscribe",
          params: { query: `tm.event='Tx' AND a.b='${index}'` },
        }),
      );
    }
    while (answers.length < 40) await once(socket, "message");
    expect(answers.filter((answer) => answer.includes('"error"'))).toHaveLength(8);
    socket.close();
  });
});

test("replayed: a transaction counts once", async () => {
  const { client, query, tenant } = served;
  const { height } = await client.submit([messages.send(tenant.address, tenant.address, 1n, "udcx")]);
  const answer = await fetch(`${served.node.rpcUrl}/block?height=${height}`);
  const { result } = (await answer.json()) as { result: { block: { data: { txs: string[] } } } };
  const [transaction = ""] = result.block.data.txs;
  // Blocks come meanwhile.
  const account = async () => ({ ...(await query.account(tenant.address)), height: undefined });
  const before = await account();
  expect(before).toMatchObject({ sequence: expect.any(BigInt) });
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "broadcast_tx_sync", params: { tx: transaction } });
  const again = await fetch(served.node.rpcUrl, { method: "POST", body });
  const text = await again.text();
  expect(text).not.toContain('"code":0');
  expect(await account()).toEqual(before);
});
