import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { createClientCertificate } from "@dcx/protocol";
import { deployment, type Holder, Holders } from "../manifest/testing/holders";

const text = '{"a":"a-very-secret-database-url"}';
const version = "ab".repeat(32);

/** What a stranger does to the port of an agent's API, which anybody reaches. */
describe("the agent's API, to a rogue", () => {
  let holders: Holders;
  let agent: Holder;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    holders = await Holders.create(1, version);
    holders.apiPatience = { handshake: 500, request: 500 };
    agent = await holders.start("dcx1dc0");
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    expect(agent.store.versions(deployment)).toEqual([]);
    expect(JSON.stringify(holders.log)).not.toContain("secret");
    holders.log.length = 0;
  });
  afterAll(() => holders.close());

  const port = () => Number(new URL(holders.urlOf("dcx1dc0")).port);

  async function raw(): Promise<Socket> {
    const socket = connect(port(), "127.0.0.1");
    sockets.push(socket.on("error", () => undefined));
    await once(socket, "connect");
    return socket;
  }

  async function secure(): Promise<TLSSocket> {
    const hour = 3_600_000;
    const validity = { notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) };
    const { certificate, key } = await createClientCertificate(validity);
    const socket = connectTls({ port: port(), host: "127.0.0.1", cert: certificate, key, rejectUnauthorized: false });
    sockets.push(socket.on("error", () => undefined));
    await once(socket, "secureConnect");
    return socket;
  }

  /** All that it answers until it closes. */
  async function answerOf(socket: Socket): Promise<string> {
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    await once(socket, "close");
    return answer;
  }

  async function logged(message: string): Promise<unknown> {
    for (;;) {
      const line = holders.log.find(({ msg }) => msg === message);
      if (line !== undefined) return line;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  const put = (length: number) =>
    `PUT /v1/deployments/${deployment}/manifests/${version} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n` +
    `content-length: ${length}\r\n\r\n`;

  it("half-open: closes a connection that begins no handshake, and says so", async () => {
    const socket = await raw();
    await once(socket.resume(), "close");
    expect(await logged("TLS handshake failed")).toMatchObject({ err: { code: "ERR_TLS_HANDSHAKE_TIMEOUT" } });
  });

  it("a flood: one address has no more than its share of places, and others come in", async () => {
    // Nobody is let go for being late meanwhile.
    const slow = await Holders.create(1, version);
    try {
      slow.apiPatience = { handshake: 30_000, request: 30_000 };
      await slow.start("dcx1dc0");
      const at = Number(new URL(slow.urlOf("dcx1dc0")).port);
      let turnedAway = 0;
      for (let round = 0; round < 22; round += 1) {
        const flood = Array.from({ length: 100 }, () =>
          connect({ port: at, host: "127.0.0.1", localAddress: "127.0.0.2" })
            .on("error", () => undefined)
            .resume()
            .once("close", () => (turnedAway += 1)),
        );
        sockets.push(...flood);
        // It may be turned away before it knows that it was connected.
        await Promise.all(
          flood.map((socket) => new Promise<void>((done) => socket.once("connect", done).once("close", () => done()))),
        );
      }
      while (turnedAway < 2_200 - 256) await new Promise((resolve) => setTimeout(resolve, 10));
      const other = connectTls({ port: at, host: "127.0.0.1", rejectUnauthorized: false });
      sockets.push(other.on("error", () => undefined));
      await once(other, "secureConnect");
      expect(turnedAway).toBe(2_200 - 256);
      const lines = slow.log.filter(({ msg }) => msg === "a connection was turned away: too many");
      expect(lines[0]).toMatchObject({
        from: expect.stringContaining("127.0.0.2"),
        reason: expect.stringMatching(/^there are 256 connections from .*127\.0\.0\.2 already$/),
      });
      // A flood does not fill the log.
      expect(lines.length).toBeLessThan(1_000);
    } finally {
      await slow.close();
    }
  });

  it("malformed: closes one that speaks no TLS, and says so", async () => {
    const socket = await raw();
    socket.write("GET /v1/identity HTTP/1.1\r\nhost: a\r\n\r\n");
    expect(await answerOf(socket)).not.toContain("HTTP/1.1 200");
    await logged("TLS handshake failed");
  });

  it("malformed: answers 400 to what is no request, and says so", async () => {
    const socket = await secure();
    socket.write("\0\0\0\0 nonsense\r\n\r\n");
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await logged("a request could not be read")).toMatchObject({
      from: "127.0.0.1",
      code: expect.stringMatching(/^HPE_/),
    });
  });

  it("oversized: reads no more headers than 32 KiB, and says so", async () => {
    const socket = await secure();
    socket.write(`GET /v1/identity HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(64 * 1024)}\r\n\r\n`);
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await logged("a request could not be read")).toMatchObject({ code: "HPE_HEADER_OVERFLOW" });
  });

  it("oversized: knows who sends a manifest before it reads any of it", async () => {
    const socket = await secure();
    socket.write(put(15 * 2 ** 20));
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 403 /);
    await logged("request refused");
  });

  it("oversized: takes no quote's terms of more than 128 KiB", async () => {
    const socket = await secure();
    const head = "POST /v1/quotes HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    socket.write(`${head}content-length: ${2 ** 30}\r\n\r\n{"order":"`);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("slow: closes a connection whose request does not come in time, and says so", async () => {
    const socket = await secure();
    const dribble = setInterval(() => socket.write("x"), 50);
    socket.write("GET /v1/identity HTTP/1.1\r\nx: ");
    const answer = await answerOf(socket);
    clearInterval(dribble);
    expect(answer).toMatch(/^(HTTP\/1\.1 400 |$)/);
    expect(await logged("a request could not be read")).toMatchObject({ code: "ERR_HTTP_REQUEST_TIMEOUT" });
  });

  it("replayed: a request that was recorded is refused, for it came with another client's key", async () => {
    // A statement counts only with the key in whose TLS session it comes: see manifests.spec.ts, "relays".
    const socket = await secure();
    socket.write(put(text.length).replace("host: a", "host: a\r\ndcx-statement: recorded") + text);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 403 /);
    await logged("request refused");
  });
});
