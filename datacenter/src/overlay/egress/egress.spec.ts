import { once } from "node:events";
import { createServer as createHttpServer, type IncomingHttpHeaders, request } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { text } from "node:stream/consumers";
import {
  AgentClient,
  agentServerOptions,
  certificateDer,
  createDatacenterRoot,
  createLeaf,
  PeerVerifier,
} from "@dcx/protocol";
import type { InstanceNetwork } from "../../runtime/runtime";
import type { WantedEgress } from "../overlay";
import type { EgressEffects } from "./dial";
import { Egress } from "./egress";

const names: Record<string, readonly string[]> = {
  "shop.example": ["1.1.1.1"],
  "two.example": ["8.8.8.8", "1.1.1.1"],
  "inside.example": ["10.0.0.1", "::1"],
  "mixed.example": ["127.0.0.1", "1.1.1.1"],
};

const chainId = "dcx-egress-1";

const servers: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening<T extends Server>(server: T): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** One workload with one instance on this machine's loopback. `internet` is what accepts at `accepting`. */
async function workload(
  wanted: Partial<WantedEgress>,
  internet: number | undefined,
  exchange: readonly string[] = [],
  accepting = "1.1.1.1",
) {
  const dialed: string[] = [];
  const refused: unknown[] = [];
  let lookups = 0;
  const effects: EgressEffects = {
    resolve: async (name) => {
      lookups += 1;
      const found = names[name];
      if (found === undefined) throw Object.assign(new Error("unknown"), { code: "ENOTFOUND" });
      return found;
    },
    connect: async (address, port) => {
      dialed.push(`${address}:${port}`);
      if (address !== accepting || internet === undefined) {
        throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      }
      const socket = connect({ host: "127.0.0.1", port: internet, allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
    own: () => ["9.9.9.9"],
  };
  let door: number | undefined;
  let changed = (): void => {};
  const network: InstanceNetwork = {
    listen: async (address, port, onStream) => {
      const server = createServer({ allowHalfOpen: true }, onStream);
      door = await listening(server);
      return { address, port, close: async () => void server.close() };
    },
    dial: () => Promise.reject(new Error("not asked for")),
  };
  const whole: WantedEgress = {
    source: { lease: "l", workload: "web" },
    instances: ["web-0"],
    address: "127.77.0.1",
    port: 3128,
    ...wanted,
  };
  const opened = new Promise<void>((resolve) => {
    changed = resolve;
  });
  const egress = new Egress(
    {
      network: async () => network,
      exchange,
      limits: { deny: [], denyPorts: [25] },
      chainId,
      verifier: new PeerVerifier(),
      effects,
      logger: { debug: () => {}, info: (details) => refused.push(details), warn: () => {} },
      onChange: () => changed(),
    },
    whole,
  );
  servers.push(egress);
  await opened;
  if (door === undefined) throw new Error("it does not listen");
  return { door, dialed, refused, egress, whole, lookups: () => lookups };
}

/** What a client that heeds HTTPS_PROXY does: the socket after the proxy's answer. */
async function tunnel(door: number, authority: string) {
  const asking = request({ port: door, host: "127.0.0.1", method: "CONNECT", path: authority, agent: false });
  asking.end();
  const [answer, socket, head] = await once(asking, "connect");
  const message = answer.statusCode === 200 ? "" : Buffer.concat([head, Buffer.from(await text(socket))]).toString();
  return { status: answer.statusCode, socket, message };
}

/** What a client that heeds HTTP_PROXY does. */
async function fetched(door: number, url: string, options: { method?: string; body?: string } = {}) {
  const asking = request({ port: door, host: "127.0.0.1", path: url, method: options.method ?? "GET", agent: false });
  asking.setHeader("proxy-authorization", "Basic c2VjcmV0");
  asking.end(options.body);
  const [answer] = await once(asking, "response");
  return { status: answer.statusCode, body: await text(answer) };
}

/** Also where it is cut, which `once` takes for a failure. */
const closed = (emitter: NodeJS.EventEmitter) => new Promise((resolve) => emitter.once("close", resolve));

const echo = () =>
  createServer({ allowHalfOpen: true }, (socket) => void socket.on("error", () => undefined).pipe(socket));

describe("egress to the internet", () => {
  it("opens what a rule allows, by name and by address, and carries both directions to their ends", async () => {
    const { dialed, door } = await workload({ rules: [{ ports: [443] }] }, await listening(echo()));
    for (const authority of ["shop.example:443", "1.1.1.1:443", "[::ffff:1.1.1.1]:443"]) {
      const { status, socket } = await tunnel(door, authority);
      if (authority.startsWith("[")) {
        // An address is dialed as it is written; the one that this world knows is written otherwise.
        expect(status).toBe(502);
        continue;
      }
      expect(status).toBe(200);
      socket.end("hello");
      await expect(text(socket)).resolves.toBe("hello");
    }
    expect(dialed).toEqual(["1.1.1.1:443", "1.1.1.1:443", "::ffff:1.1.1.1:443"]);
  });

  it("carries plain HTTP, without what was said to the proxy alone", async () => {
    let seen: { url: string | undefined; headers: IncomingHttpHeaders; body: string } | undefined;
    const server = createHttpServer(async (asked, response) => {
      seen = { url: asked.url, headers: asked.headers, body: await text(asked) };
      response.writeHead(201).end("done");
    });
    const { door } = await workload({ rules: [{}] }, await listening(server));
    const answer = await fetched(door, "http://shop.example:8080/a?b=c", { method: "POST", body: "x".repeat(100_000) });
    expect(answer).toEqual({ status: 201, body: "done" });
    expect(seen).toMatchObject({ url: "/a?b=c", headers: { host: "shop.example:8080" }, body: "x".repeat(100_000) });
    expect(seen?.headers["proxy-authorization"]).toBeUndefined();
  });

  it.each([
    ["a private address", "10.0.0.1:443", "not public (private)"],
    ["the metadata service", "169.254.169.254:80", "no egress rule of the workload names port 80"],
    ["this machine", "[::1]:443", "not public (loopback)"],
    ["the datacenter's own address", "9.9.9.9:443", "the datacenter's own"],
    ["a name that leads inside", "inside.example:443", "10.0.0.1: it is not public"],
    ["a number that means this machine", "2130706433:443", "can't be looked up"],
    ["another port", "shop.example:22", "no egress rule of the workload names port 22"],
    ["another address", "8.8.4.4:5432", "no egress rule of the workload names it with port 5432"],
  ])("refuses %s and says why", async (_what, authority, why) => {
    const rules = [{ ports: [443] }, { addresses: ["1.0.0.0/8"], ports: [5432] }];
    const { dialed, door, refused } = await workload({ rules }, 1);
    const { message, status } = await tunnel(door, authority);
    expect(message).toContain(why);
    expect(status).toBe(why.includes("looked up") ? 502 : 403);
    expect(dialed).toEqual([]);
    if (status === 403) {
      expect(refused).toEqual([expect.objectContaining({ workload: "web", reason: expect.stringContaining(why) })]);
      const url = authority.endsWith(":443") ? `http://${authority}/` : undefined;
      if (url !== undefined) expect(await fetched(door, url)).toMatchObject({ status: 403 });
    }
  });

  it("dials the address that it checked, of several the next that accepts, and asks for a name once", async () => {
    const { dialed, door, lookups } = await workload({ rules: [{}] }, await listening(echo()));
    const first = await tunnel(door, "mixed.example:443");
    expect(first.status).toBe(200);
    first.socket.destroy();
    expect(dialed).toEqual(["1.1.1.1:443"]);
    const second = await tunnel(door, "two.example:443");
    expect(second.status).toBe(200);
    second.socket.destroy();
    expect(dialed).toEqual(["1.1.1.1:443", "8.8.8.8:443", "1.1.1.1:443"]);
    expect(lookups()).toBe(2);
  });

  it("looks up no name for a port that no rule names", async () => {
    const { door, lookups } = await workload({ rules: [{ ports: [443] }] }, 1);
    expect((await tunnel(door, "secret.attacker.example:53")).status).toBe(403);
    expect(lookups()).toBe(0);
  });

  it("says when what is allowed does not answer", async () => {
    const { door } = await workload({ rules: [{}] }, undefined);
    expect(await tunnel(door, "shop.example:443")).toMatchObject({
      status: 502,
      message: expect.stringContaining("1.1.1.1 does not accept (ECONNREFUSED)"),
    });
    expect(await fetched(door, "http://nowhere.example/")).toMatchObject({
      status: 502,
      body: expect.stringContaining("ENOTFOUND"),
    });
  });

  it.each([
    "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT shop.example HTTP/1.1\r\n\r\n",
    "CONNECT a:0 HTTP/1.1\r\n\r\n",
  ])("takes %j for no request", async (asked) => {
    const { door } = await workload({ rules: [{}] }, 1);
    const socket = connect(door, "127.0.0.1");
    socket.write(asked.replace("\r\n\r\n", "\r\nhost: x\r\nconnection: close\r\n\r\n"));
    await expect(text(socket)).resolves.toMatch(/^HTTP\/1.1 400 /);
  });

  it("cuts what is open when the rules change or the instance goes", async () => {
    const { door, egress, whole } = await workload({ rules: [{}] }, await listening(echo()));
    const open = async () => {
      const { socket } = await tunnel(door, "shop.example:443");
      socket.on("error", () => undefined);
      socket.write("x");
      await once(socket, "data");
      return socket;
    };
    const before = await open();
    egress.apply({ ...whole, rules: [{ ports: [443] }] });
    await closed(before);
    const after = await open();
    egress.apply({ ...whole, rules: [{ ports: [443] }], instances: [] });
    await closed(after);
  });
});

describe("egress to the exchange", () => {
  async function node() {
    const asked: { url: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];
    const server = createHttpServer(async (request, response) => {
      asked.push({ url: request.url, headers: request.headers, body: await text(request) });
      response.writeHead(200, { "content-type": "application/json" }).end('{"result":{}}');
    });
    server.on("upgrade", (request, socket) => {
      socket.on("error", () => undefined);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${request.headers.upgrade}\r\n`,
      );
      socket.write(`asked-for: ${request.url}\r\nkey: ${request.headers["sec-websocket-key"]}\r\n\r\nfirst `);
      socket.pipe(socket);
    });
    return { asked, url: `http://127.0.0.1:${await listening(server)}/base/` };
  }

  it("passes JSON-RPC on to the first endpoint that answers, as a request of the datacenter's", async () => {
    const { asked, url } = await node();
    const { door } = await workload({}, undefined, ["http://127.0.0.1:1", url]);
    for (const id of [1, 2]) {
      const answer = await fetch(`http://127.0.0.1:${door}/`, {
        method: "POST",
        headers: { origin: "http://page.example", "content-type": "application/json" },
        body: JSON.stringify({ id, method: "status" }),
      });
      expect(await answer.json()).toEqual({ result: {} });
    }
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({ url: "/base/", body: '{"id":1,"method":"status"}' });
    expect(asked[0]?.headers).toMatchObject({ host: new URL(url).host, "content-type": "application/json" });
    expect(asked[0]?.headers.origin).toBeUndefined();
  });

  it("carries its WebSocket", async () => {
    const { url } = await node();
    const { door } = await workload({}, undefined, [url]);
    const asking = request({ port: door, host: "127.0.0.1", path: "/websocket", agent: false });
    asking.setHeader("connection", "Upgrade");
    asking.setHeader("upgrade", "websocket");
    asking.setHeader("sec-websocket-key", "abc");
    asking.end();
    const [answer, socket, head] = await once(asking, "upgrade");
    expect(answer.headers).toMatchObject({ upgrade: "websocket", "asked-for": "/base/websocket", key: "abc" });
    socket.end("frames");
    expect(String(head) + (await text(socket))).toBe("first frames");
  });

  it("leads nowhere else, whatever is asked for", async () => {
    const { asked, url } = await node();
    const { door } = await workload({}, undefined, [url]);
    const other = createHttpServer((_, response) => response.end("inside"));
    const port = await listening(other);
    await fetched(door, `http://127.0.0.1:${port}/private`);
    expect(asked.map((each) => each.url)).toEqual(["/base/"]);
    const asking = request({ port: door, host: "127.0.0.1", method: "CONNECT", path: `127.0.0.1:${port}` });
    asking.on("error", () => undefined).end();
    await closed(asking);
    // It may not be read to its end: how that shows is up to the client.
    await fetched(door, "/", { method: "POST", body: "x".repeat(5 << 20) }).catch(() => undefined);
    await fetched(door, "/../../etc");
    expect(asked.map((each) => each.url)).toEqual(["/base/", "/base/etc"]);
  });

  it("says when no node answers", async () => {
    const { door } = await workload({}, undefined, ["http://127.0.0.1:1"]);
    expect(await fetched(door, "/status")).toMatchObject({ status: 502, body: expect.stringContaining("no node") });
  });
});

describe("egress to the agents of the deployment's holders", () => {
  const hour = 3_600_000;
  const today = { notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) };
  const identity = {
    chainId,
    datacenter: "dcx1sierra",
    region: "us-west",
    isolation: "sandbox",
    unenforced: [],
    version: "0.1.0",
    height: "7",
  };

  /** What listens on this machine as an agent does, and the root under which it says that it is. */
  async function listeningAgent() {
    const root = await createDatacenterRoot({ chainId, datacenter: identity.datacenter }, today);
    const leaf = await createLeaf(root, { chainId, datacenter: identity.datacenter }, today);
    const server = createSecureServer(agentServerOptions(leaf), (_, response) =>
      response.end(JSON.stringify(identity)),
    );
    const port = await listening(server);
    return { port, url: `https://127.0.0.1:${port}`, root: certificateDer(root.certificate) };
  }

  /** A workload whose proxy knows an agent by this root; connections are made in earnest. */
  async function manager(url: string, root: Uint8Array) {
    const agents = [{ datacenter: identity.datacenter, urls: [url], roots: [root] }];
    const { host } = new URL(url);
    return await workload({ agents }, Number(host.split(":")[1]), [], "127.0.0.1");
  }

  it("leads an agent's client to the agent, which proves itself to both", async () => {
    const { root, url } = await listeningAgent();
    const { door } = await manager(url, root);
    const target = { chainId, datacenter: identity.datacenter, urls: [url], roots: [root] };
    await using client = new AgentClient(target, { kind: "anybody" }, { proxy: `http://127.0.0.1:${door}` });
    await expect(client.identity()).resolves.toEqual(identity);
  });

  it("leads to nothing that only claims to be one: an address of the datacenter's own network, named on the chain", async () => {
    const { url } = await listeningAgent();
    const other = await createDatacenterRoot({ chainId, datacenter: identity.datacenter }, today);
    const { dialed, door, refused } = await manager(url, certificateDer(other.certificate));
    const { message, status } = await tunnel(door, new URL(url).host);
    expect(status).toBe(403);
    expect(message).toContain("is not reached");
    expect(dialed).toEqual([]);
    expect(refused).toHaveLength(1);

    const plain = await listening(createHttpServer((_, response) => response.end("inside")));
    const inside = await manager(`https://127.0.0.1:${plain}`, certificateDer(other.certificate));
    expect((await tunnel(inside.door, `127.0.0.1:${plain}`)).status).toBe(502);
    expect(inside.dialed).toEqual([]);
  });

  it("leads to no other agent, and says so to the client", async () => {
    const [one, other] = [await listeningAgent(), await listeningAgent()];
    const { door } = await manager(one.url, one.root);
    const target = { chainId, datacenter: identity.datacenter, urls: [other.url], roots: [other.root] };
    await using client = new AgentClient(target, { kind: "anybody" }, { proxy: `http://127.0.0.1:${door}` });
    await expect(client.identity()).rejects.toThrow(/no agent of a datacenter that holds a lease/);
  });
});
