import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer, type Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { type CertificateWithKey, createDatacenterRoot, createLeaf, parseIdentityUri } from "@dcx/protocol";
import type { InstanceNetwork } from "../runtime/runtime";
import type { ConnectionKey, Overlay, PeerIdentity, WantedConnections, WantedSource, WantedTarget } from "./overlay";
import { startOverlay } from "./start";
import { tunnelName } from "./tunnel-name";

const chainId = "test-1";
const folder = mkdtempSync(join(tmpdir(), "dcx-overlay-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hour = 3_600_000;
const around = () => ({ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) });

interface World {
  readonly name: string;
  readonly root: CertificateWithKey;
  readonly overlay: Overlay;
  /** Ports of this machine by instance and port inside. */
  readonly services: Map<string, number>;
  readonly doors: Map<string, number>;
  readonly refusals: { readonly message: string; readonly details: Record<string, unknown> }[];
}

const worlds: World[] = [];
const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map(({ overlay }) => overlay.close()));
  for (const server of servers.splice(0)) {
    server.close();
  }
});

/** A datacenter whose instances are on this machine's loopback. */
async function datacenter(name: string, changes: { leafLifetime?: number; home?: string } = {}): Promise<World> {
  const root = await createDatacenterRoot({ chainId, datacenter: name }, around());
  const services = new Map<string, number>();
  const doors = new Map<string, number>();
  const refusals: World["refusals"] = [];
  const network = (instance: string): InstanceNetwork => ({
    listen: async (address, port, onStream) => {
      const server = createServer({ allowHalfOpen: true }, onStream);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      servers.push(server);
      doors.set(`${instance} ${address}:${port}`, (server.address() as AddressInfo).port);
      return { address, port, close: async () => void server.close() };
    },
    dial: async (port) => {
      const at = services.get(`${instance}:${port}`);
      if (at === undefined) {
        throw new Error("connection refused");
      }
      const socket = connect({ port: at, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
  });
  const networks = new Map<string, InstanceNetwork>();
  const overlay = await startOverlay({
    listen: { host: "127.0.0.1", port: 0 },
    ingress: { listen: "127.0.0.1" },
    egress: { exchange: [], limits: { deny: [], denyPorts: [] } },
    home: changes.home ?? join(folder, `${name}-${worlds.length}`),
    chainId,
    datacenter: name,
    ...(changes.leafLifetime === undefined ? {} : { leafLifetime: changes.leafLifetime }),
    issue: async ({ uri, notBefore, notAfter }) => {
      const identity = parseIdentityUri(uri);
      if (identity === undefined) {
        throw new Error(uri);
      }
      const { certificate, key } = await createLeaf(root, identity, { notBefore, notAfter });
      return { certificate, privateKey: key };
    },
    network: async (instance) => {
      const found = networks.get(instance) ?? network(instance);
      networks.set(instance, found);
      return found;
    },
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: (details, message) => refusals.push({ message, details: { ...details } }),
    },
  });
  const world = { name, root, overlay, services, doors, refusals };
  worlds.push(world);
  return world;
}

async function serve(world: World, instance: string, port: number, onSocket: (socket: Socket) => void): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  world.services.set(`${instance}:${port}`, (server.address() as AddressInfo).port);
}

const echo = (socket: Socket) => void socket.pipe(socket);
const leaseOf = (world: World) => `tenant/1/${world.name}/1`;
const identity = (world: World, workload: string): PeerIdentity => ({
  datacenter: world.name,
  lease: leaseOf(world),
  workload,
  roots: [world.root.certificate],
});
const connection = "tenant/1/connections/web-to-api";

function sourceOf(west: World, east: World, changes: Partial<WantedSource> = {}): WantedSource {
  return {
    connection,
    source: { lease: leaseOf(west), workload: "web" },
    instances: ["web-0"],
    address: "127.77.0.1",
    port: 9000,
    targets: [{ ...identity(east, "api"), addresses: [east.overlay.address] }],
    ...changes,
  };
}

function targetOf(west: World, east: World, changes: Partial<WantedTarget> = {}): WantedTarget {
  return {
    connection,
    target: { lease: leaseOf(east), workload: "api" },
    instances: ["api-0"],
    port: 9000,
    sources: [identity(west, "web")],
    ...changes,
  };
}

function apply(world: World, wanted: Partial<WantedConnections>): void {
  world.overlay.apply({ sources: [], targets: [], ingresses: [], egresses: [], ...wanted });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const established = (world: World, key: ConnectionKey) => world.overlay.status().get(key)?.established === true;

async function declaredPair(changes: { leafLifetime?: number } = {}) {
  const west = await datacenter("west", changes);
  const east = await datacenter("east", changes);
  await serve(east, "api-0", 9000, echo);
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() => established(west, `source ${connection}`));
  return { west, east };
}

function dialDoor(world: World, door = "web-0 127.77.0.1:9000"): Socket {
  return connect({ port: world.doors.get(door) ?? 0, host: "127.0.0.1", allowHalfOpen: true });
}

async function exchange(socket: Duplex, text: string): Promise<string> {
  socket.end(text);
  let answer = "";
  for await (const data of socket) {
    answer += data;
  }
  return answer;
}

it("carries a declared pair, across datacenters", async () => {
  const { west, east } = await declaredPair();
  await expect(exchange(dialDoor(west), "hello")).resolves.toBe("hello");
  expect(east.overlay.status().get(`target ${connection}`)).toEqual({ role: "target", established: true });
  expect(east.refusals).toEqual([]);
}, 20_000);

it("carries a declared pair within one datacenter", async () => {
  const west = await datacenter("west");
  await serve(west, "api-0", 9000, echo);
  apply(west, { sources: [sourceOf(west, west)], targets: [targetOf(west, west)] });
  await until(() => established(west, `source ${connection}`));
  await expect(exchange(dialDoor(west), "hello")).resolves.toBe("hello");
}, 20_000);

it("carries many connections at once through one tunnel", async () => {
  const { west } = await declaredPair();
  const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => exchange(dialDoor(west), `n${n}`)));
  expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => `n${n}`));
}, 20_000);

it("passes on the end of one direction alone", async () => {
  const west = await datacenter("west");
  const east = await datacenter("east");
  // Answers only once it has seen the end, and the source still sends after the target's end.
  const afterEnd: string[] = [];
  await serve(east, "api-0", 9000, (socket) => {
    socket.end("bye");
    socket.on("data", (data) => afterEnd.push(String(data)));
  });
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() => established(west, `source ${connection}`));
  const socket = dialDoor(west);
  let text = "";
  socket.on("data", (data) => {
    text += data;
  });
  await once(socket, "end");
  expect(text).toBe("bye");
  socket.end("still here");
  await until(() => afterEnd.join("") === "still here");
}, 20_000);

it("moves a lot while the reader is slow, without keeping it in memory", async () => {
  const west = await datacenter("west");
  const east = await datacenter("east");
  let sent = 0;
  const size = 96 << 20;
  const block = Buffer.alloc(1 << 16, 7);
  await serve(east, "api-0", 9000, (socket) => {
    const more = () => {
      while (sent < size) {
        sent += block.length;
        if (!socket.write(block)) {
          socket.once("drain", more);
          return;
        }
      }
      socket.end();
    };
    more();
  });
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() => established(west, `source ${connection}`));
  sent = 0;
  const socket = dialDoor(west);
  await once(socket, "readable");
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(sent).toBeLessThan(32 << 20);
  let received = 0;
  for await (const data of socket) {
    received += data.length;
  }
  expect(received).toBe(size);
}, 60_000);

it("shows an abort as an abort, not as an end", async () => {
  const west = await datacenter("west");
  const east = await datacenter("east");
  await serve(east, "api-0", 9000, (socket) => {
    socket.write("part");
    socket.once("data", () => socket.resetAndDestroy());
  });
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() => established(west, `source ${connection}`));
  const socket = dialDoor(west);
  await once(socket, "data");
  socket.write("x");
  await expect(once(socket, "end")).rejects.toThrow(/ECONNRESET/);
}, 20_000);

it("tells that the target does not accept yet, and when it does", async () => {
  const west = await datacenter("west");
  const east = await datacenter("east");
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() =>
    /does not accept on port 9000/.test(west.overlay.status().get(`source ${connection}`)?.message ?? ""),
  );
  await serve(east, "api-0", 9000, echo);
  await until(() => established(west, `source ${connection}`));
}, 20_000);

it("spreads over the target's instances and passes over one that does not accept", async () => {
  const west = await datacenter("west");
  const east = await datacenter("east");
  for (const name of ["api-0", "api-1"]) {
    await serve(east, name, 9000, (socket) => socket.end(name));
  }
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east, { instances: ["api-0", "api-dead", "api-1"] })] });
  await until(() => established(west, `source ${connection}`));
  const answers = await Promise.all(Array.from({ length: 9 }, () => exchange(dialDoor(west), "")));
  expect(new Set(answers)).toEqual(new Set(["api-0", "api-1"]));
}, 20_000);

it("is established once an instance runs that was started with the connection: an older one does not know the name", async () => {
  const [west, east] = [await datacenter("west"), await datacenter("east")];
  await serve(east, "api-0", 9000, echo);
  apply(east, { targets: [targetOf(west, east)] });
  apply(west, { sources: [sourceOf(west, east, { instances: ["web-old"], current: [] })] });
  const status = () => west.overlay.status().get(`source ${connection}`);
  await until(() => /no instance of the source has started with this connection/.test(status()?.message ?? ""));
  apply(west, { sources: [sourceOf(west, east, { instances: ["web-old", "web-new"], current: ["web-new"] })] });
  await until(() => established(west, `source ${connection}`));
}, 20_000);

it("is established only while the target's current entry is what accepts", async () => {
  const { west, east } = await declaredPair();
  const socket = dialDoor(west);
  socket.write("x");
  await once(socket, "data");
  apply(west, { sources: [sourceOf(west, east, { entry: "new" })] });
  expect(west.overlay.status().get(`source ${connection}`)).toMatchObject({
    established: false,
    message: "the target does not run its newest version yet",
  });
  apply(east, { targets: [targetOf(west, east, { entry: "old" })] });
  await expect(exchange(dialDoor(west), "while it rolls")).resolves.toBe("while it rolls");
  expect(established(west, `source ${connection}`)).toBe(false);
  apply(east, { targets: [targetOf(west, east, { entry: "new" })] });
  await until(() => established(west, `source ${connection}`));
  // None of that touched what was open.
  await expect(exchange(socket, "y")).resolves.toBe("y");
}, 20_000);

it("sends new streams to the lease that replaces another, and lets those to the old one end", async () => {
  const { west, east } = await declaredPair();
  const next = await datacenter("next");
  await serve(next, "api-0", 9000, (socket) => socket.end("next"));
  apply(next, { targets: [targetOf(west, next)] });
  const peer = (world: World) => ({ ...identity(world, "api"), addresses: [world.overlay.address] });
  const socket = dialDoor(west);
  socket.write("x");
  await once(socket, "data");
  apply(west, { sources: [sourceOf(west, east, { targets: [peer(east), peer(next)] })] });
  apply(west, { sources: [sourceOf(west, east, { targets: [peer(next)] })] });
  await expect(exchange(dialDoor(west), "")).resolves.toBe("next");
  await expect(exchange(socket, "y")).resolves.toBe("y");
}, 20_000);

it("spreads over two leases of the target, and goes on with one when the other's datacenter is gone", async () => {
  const west = await datacenter("west");
  const [east, next] = [await datacenter("east"), await datacenter("next")];
  for (const world of [east, next]) {
    await serve(world, "api-0", 9000, (socket) => socket.end(world.name));
    apply(world, { targets: [targetOf(west, world)] });
  }
  const targets = [east, next].map((world) => ({ ...identity(world, "api"), addresses: [world.overlay.address] }));
  apply(west, { sources: [sourceOf(west, east, { targets })] });
  const answers = async () => new Set(await Promise.all([1, 2, 3, 4].map(() => exchange(dialDoor(west), ""))));
  await until(() => established(west, `source ${connection}`));
  let seen = new Set<string>();
  while (seen.size < 2) seen = await answers();
  worlds.splice(worlds.indexOf(east), 1);
  await east.overlay.close();
  // What is asked meanwhile is answered too.
  await expect(answers()).resolves.toEqual(new Set(["next"]));
  expect(established(west, `source ${connection}`)).toBe(true);
}, 60_000);

it("serves each instance of the source, and cuts the flows of one that goes alone", async () => {
  const { west, east } = await declaredPair();
  apply(west, { sources: [sourceOf(west, east, { instances: ["web-0", "web-1"] })] });
  await until(() => west.doors.has("web-1 127.77.0.1:9000"));
  const sockets = ["web-0", "web-1"].map((instance) => dialDoor(west, `${instance} 127.77.0.1:9000`));
  for (const socket of sockets) {
    socket.on("error", () => undefined);
    socket.write("x");
    await once(socket, "data");
  }
  const [stays, goes] = sockets;
  const closed = new Promise((resolve) => goes?.once("close", resolve));
  apply(west, { sources: [sourceOf(west, east, { instances: ["web-0"] })] });
  await closed;
  await expect(exchange(stays ?? new Socket(), "y")).resolves.toBe("y");
}, 60_000);

it("cuts established flows at once when the target no longer lets the source in", async () => {
  const { west, east } = await declaredPair();
  const socket = dialDoor(west);
  socket.write("x");
  await once(socket, "data");
  const closed = once(socket, "close").catch(() => undefined);
  socket.on("error", () => undefined);
  apply(east, { targets: [targetOf(west, east, { sources: [] })] });
  await closed;
  await until(() => !established(west, `source ${connection}`));
}, 20_000);

it("cuts established flows at once when the source's end is removed", async () => {
  const { west } = await declaredPair();
  const socket = dialDoor(west);
  socket.on("error", () => undefined);
  socket.write("x");
  await once(socket, "data");
  const closed = once(socket, "close").catch(() => undefined);
  apply(west, {});
  await closed;
  expect(west.overlay.status().size).toBe(0);
}, 20_000);

it("keeps flows when the same is applied again, and while certificates are renewed", async () => {
  const { west, east } = await declaredPair({ leafLifetime: 4 });
  const certificate = await west.overlay.certificate(leaseOf(west), "web");
  const socket = dialDoor(west);
  socket.write("a");
  await once(socket, "data");
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  // Until the certificate that the first flow came with has expired.
  await until(() => new Date() > notAfterOf(certificate));
  expect(await west.overlay.certificate(leaseOf(west), "web")).not.toBe(certificate);
  socket.write("b");
  expect(String((await once(socket, "data"))[0])).toBe("b");
  await expect(exchange(dialDoor(west), "new")).resolves.toBe("new");
  socket.destroy();
}, 20_000);

describe("while a datacenter's root is replaced", () => {
  /** An open flow of the declared pair, and what is sent through it comes back. */
  async function openFlow(west: World) {
    const socket = dialDoor(west);
    socket.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const answers = async (text: string) => {
      socket.write(text);
      return String((await once(socket, "data"))[0]);
    };
    await answers("begin");
    return { answers, closed };
  }

  const rootOf = async (world: World) =>
    (await createDatacenterRoot({ chainId, datacenter: world.name }, around())).certificate;

  /** Both ends know these roots of both. */
  function trust(west: World, east: World, roots: { west?: string[]; east?: string[] }): void {
    const targets = [
      {
        ...identity(east, "api"),
        addresses: [east.overlay.address],
        ...(roots.east === undefined ? {} : { roots: roots.east }),
      },
    ];
    const sources = [{ ...identity(west, "web"), ...(roots.west === undefined ? {} : { roots: roots.west }) }];
    apply(west, { sources: [sourceOf(west, east, { targets })] });
    apply(east, { targets: [targetOf(west, east, { sources })] });
  }

  it.each(["west", "east"] as const)(
    "flows go on while there are two of %s",
    async (whose) => {
      const { west, east } = await declaredPair();
      const flow = await openFlow(west);
      const world = whose === "west" ? west : east;
      trust(west, east, { [whose]: [world.root.certificate, await rootOf(world)] });
      await expect(flow.answers("both")).resolves.toBe("both");
      trust(west, east, { [whose]: [world.root.certificate] });
      await expect(flow.answers("one")).resolves.toBe("one");
      await expect(exchange(dialDoor(west), "new")).resolves.toBe("new");
    },
    60_000,
  );

  it.each(["west", "east"] as const)(
    "flows under a root of %s that goes are cut at once",
    async (whose) => {
      const { west, east } = await declaredPair();
      const flow = await openFlow(west);
      trust(west, east, { [whose]: [await rootOf(whose === "west" ? west : east)] });
      await flow.closed;
      await until(() => !established(west, `source ${connection}`));
    },
    60_000,
  );
});

it("connects again when the target's agent comes back at its address", async () => {
  const { west, east } = await declaredPair();
  await east.overlay.close();
  await until(() => !established(west, `source ${connection}`));
  worlds.splice(worlds.indexOf(east), 1);
  const home = join(folder, "east-1");
  const again = await datacenter("east", { home });
  expect(again.overlay.address).toBe(east.overlay.address);
  await serve(again, "api-0", 9000, echo);
  apply(west, { sources: [sourceOf(west, again)] });
  apply(again, { targets: [targetOf(west, again)] });
  await until(() => established(west, `source ${connection}`));
  await expect(exchange(dialDoor(west), "hello")).resolves.toBe("hello");
}, 20_000);

describe("a tunnel is refused", () => {
  /** What servers have given to callers to resume a session by. */
  const given: Buffer[] = [];

  /** What a caller with these credentials gets: "accepted", or why it ended. */
  async function attempt(
    east: World,
    credentials: Partial<CertificateWithKey>,
    name: string | undefined,
    session?: Buffer,
  ): Promise<string> {
    const { hostname, port } = new URL(`tcp://${east.overlay.address}`);
    const socket = connectTls({
      host: hostname,
      port: Number(port),
      ...(name === undefined ? {} : { servername: name }),
      ...(credentials.certificate === undefined ? {} : { cert: credentials.certificate, key: credentials.key }),
      ...(session === undefined ? {} : { session }),
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    socket.on("session", (session) => given.push(session));
    try {
      await once(socket, "secureConnect");
      const session = connectHttp2("https://x", { createConnection: () => socket });
      session.on("error", () => undefined);
      const stream = session.request({ ":method": "CONNECT", ":authority": "x" }, { endStream: false });
      stream.on("error", () => undefined);
      const outcome = await Promise.race([
        once(stream, "response").then(([headers]) => `accepted ${headers[":status"]}`),
        once(stream, "close").then(() => "refused"),
      ]);
      session.destroy();
      return outcome;
    } catch (error) {
      return `refused: ${error instanceof Error ? error.message : error}`;
    }
  }

  /** The line about a caller with these credentials. */
  function logged(connection: string, { certificate }: Partial<CertificateWithKey>) {
    const shown = certificate === undefined ? undefined : new X509Certificate(certificate);
    return expect.objectContaining({
      message: "a tunnel was refused",
      details: expect.objectContaining({
        connection,
        presented: shown?.subjectAltName ?? "no certificate",
        fingerprint: shown?.fingerprint256,
        reason: expect.any(String),
      }),
    });
  }

  const workload = (world: World, name: string) => ({
    chainId,
    datacenter: world.name,
    workload: { lease: leaseOf(world), name },
  });

  it("but not for the declared source (control)", async () => {
    const { west, east } = await declaredPair();
    const leaf = await createLeaf(west.root, workload(west, "web"), around());
    await expect(attempt(east, leaf, tunnelName(chainId, connection, leaseOf(east)))).resolves.toBe("accepted 200");
  }, 20_000);

  it.each<[string, (west: World, east: World) => Promise<Partial<CertificateWithKey>>]>([
    ["without a certificate", async () => ({})],
    ["for another workload of the same lease", (west) => createLeaf(west.root, workload(west, "evil"), around())],
    [
      "for the same workload of another deployment",
      (west) =>
        createLeaf(
          west.root,
          { chainId, datacenter: west.name, workload: { lease: "tenant/2/west/1", name: "web" } },
          around(),
        ),
    ],
    [
      "for the same workload of another datacenter, under that one's root",
      async () =>
        createLeaf(
          await createDatacenterRoot({ chainId, datacenter: "other" }, around()),
          { chainId, datacenter: "other", workload: { lease: "tenant/1/west/1", name: "web" } },
          around(),
        ),
    ],
    ["for the datacenter's agent", (west) => createLeaf(west.root, { chainId, datacenter: west.name }, around())],
    ["for a source under the target's root", (west, east) => createLeaf(east.root, workload(west, "web"), around())],
    [
      "under a look-alike root with the same subject",
      async (west) => {
        const root = await createDatacenterRoot({ chainId, datacenter: west.name }, around());
        expect(new X509Certificate(root.certificate).subject).toBe(new X509Certificate(west.root.certificate).subject);
        return createLeaf(root, workload(west, "web"), around());
      },
    ],
    [
      "under a root that was removed",
      async (west, east) => {
        const successor = await createDatacenterRoot({ chainId, datacenter: west.name }, around());
        const source = { ...identity(west, "web"), roots: [successor.certificate] };
        apply(east, { targets: [targetOf(west, east, { sources: [source] })] });
        return createLeaf(west.root, workload(west, "web"), around());
      },
    ],
    [
      "that has expired",
      (west) =>
        createLeaf(west.root, workload(west, "web"), {
          notBefore: new Date(Date.now() - 1000_000),
          notAfter: new Date(Date.now() - 1000),
        }),
    ],
  ])(
    "%s",
    async (_, credentials) => {
      const { west, east } = await declaredPair();
      const name = tunnelName(chainId, connection, leaseOf(east));
      const presented = await credentials(west, east);
      await expect(attempt(east, presented, name)).resolves.toMatch(/^refused/);
      expect(east.refusals).toContainEqual(logged(connection, presented));
    },
    20_000,
  );

  it.each([
    ["for a connection that is not declared", tunnelName(chainId, "tenant/1/connections/other", "tenant/1/east/1")],
    ["without the name of a connection", undefined],
  ])(
    "%s",
    async (_, name) => {
      const { west, east } = await declaredPair();
      const leaf = await createLeaf(west.root, workload(west, "web"), around());
      await expect(attempt(east, leaf, name)).resolves.toMatch(/^refused/);
      const presented = name === undefined ? "no tunnel name" : `the tunnel name ${name}`;
      await until(() => east.refusals.some(({ details }) => details["presented"] === presented));
    },
    20_000,
  );

  it("with the certificate of another connection's source", async () => {
    const { west, east } = await declaredPair();
    const other: WantedTarget = targetOf(west, east, {
      connection: "tenant/1/connections/admin-to-api",
      sources: [identity(west, "admin")],
    });
    apply(east, { targets: [targetOf(west, east), other] });
    const leaf = await createLeaf(west.root, workload(west, "web"), around());
    const name = tunnelName(chainId, other.connection, leaseOf(east));
    await expect(attempt(east, leaf, name)).resolves.toMatch(/^refused/);
    expect(east.refusals).toContainEqual(logged(other.connection, leaf));
  }, 20_000);

  it("with a certificate that has expired since, by resuming the session that it was admitted with", async () => {
    const { west, east } = await declaredPair();
    const name = tunnelName(chainId, connection, leaseOf(east));
    const notAfter = new Date(Date.now() + 8_000);
    const leaf = await createLeaf(west.root, workload(west, "web"), { ...around(), notAfter });
    given.length = 0;
    await expect(attempt(east, leaf, name)).resolves.toBe("accepted 200");
    expect(east.refusals).toEqual([]);
    // What TLS 1.3 hands out is an identifier that the server keeps nothing under.
    await until(() => given.length > 0);
    const [begun] = given;
    await until(() => new Date() > notAfterOf(leaf.certificate));
    await expect(attempt(east, leaf, name, begun)).resolves.toMatch(/^refused/);
    expect(east.refusals).toContainEqual(logged(connection, leaf));
  }, 60_000);

  it("by the source when the target is somebody else", async () => {
    const west = await datacenter("west");
    const east = await datacenter("east");
    const other = await datacenter("other");
    await serve(east, "api-0", 9000, echo);
    apply(east, { targets: [targetOf(west, east)] });
    const peer = { ...identity(east, "api"), roots: [other.root.certificate], addresses: [east.overlay.address] };
    apply(west, { sources: [sourceOf(west, east, { targets: [peer] })] });
    await until(() => west.refusals.some(({ message }) => message === "a tunnel's other end was refused"));
    expect(west.overlay.status().get(`source ${connection}`)).toMatchObject({
      established: false,
      message: expect.stringContaining("is not api of east"),
    });
  }, 20_000);
});

describe("a global connection", () => {
  const global = "tenant/1/connections/public";
  const answerOf = (url: string) =>
    new Promise<string>((resolve, reject) => {
      request(url, { agent: false }, (response) => {
        let text = "";
        response.on("data", (data) => {
          text += data;
        });
        response.on("end", () => resolve(text));
      })
        .on("error", reject)
        .end();
    });

  it("is established once an instance accepts, and not before", async () => {
    const west = await datacenter("west");
    apply(west, { ingresses: [{ connection: global, instances: ["web-0"], port: 8080 }] });
    const status = () => west.overlay.status().get(`ingress ${global}`);
    await until(() => status()?.address !== undefined && /does not accept on port 8080/.test(status()?.message ?? ""));
    expect(status()?.established).toBe(false);
    let connections = 0;
    await serve(west, "web-0", 8080, (socket) => {
      connections += 1;
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    await until(() => status()?.established === true);
    await expect(answerOf(status()?.address ?? "")).resolves.toBe("ok");
    // Asked for no longer than until it does.
    expect(connections).toBe(2);
    apply(west, { ingresses: [{ connection: global, instances: ["web-1"], port: 8080 }] });
    expect(status()?.established).toBe(false);
  }, 20_000);

  it("answers at its address, at the same one after a restart, and no more once it is gone", async () => {
    const home = join(folder, "ingress");
    const west = await datacenter("west", { home });
    await serve(west, "web-0", 8080, (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    apply(west, { ingresses: [{ connection: global, instances: ["web-0"], port: 8080 }] });
    await until(() => established(west, `ingress ${global}`));
    const address = west.overlay.status().get(`ingress ${global}`)?.address ?? "";
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await expect(answerOf(address)).resolves.toBe("ok");
    await west.overlay.close();
    await expect(answerOf(address)).rejects.toThrow(/ECONNREFUSED/);
    const again = await datacenter("west", { home });
    apply(again, { ingresses: [{ connection: global, instances: [], port: 8080 }] });
    await until(() => again.overlay.status().get(`ingress ${global}`)?.address !== undefined);
    expect(again.overlay.status().get(`ingress ${global}`)).toMatchObject({ address, established: false });
  }, 20_000);
});

function notAfterOf(pem: string): Date {
  return new Date(new X509Certificate(pem).validTo);
}
