import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closed, connection, echo, exchange, IngressWorld, until } from "./testing/world";

const other = "dcx1other/7/connections/public";
const block = Buffer.alloc(1 << 16, 120);

/** What strangers do to the port of a global connection, which carries whatever arrives. */
describe("the raw port of a global connection, to a rogue", () => {
  const folder = mkdtempSync(join(tmpdir(), "dcx-raw-port-"));
  const sockets: Socket[] = [];
  let world: IngressWorld;

  beforeEach(async () => {
    const home = mkdtempSync(join(folder, "home-"));
    world = await IngressWorld.start({ home, limits: { connections: 40, connectionsPerAddress: 10 } });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await world.close();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** The rogue's target is `web-0`, another tenant's `web-1`. */
  async function serving(onSocket: (socket: Socket) => void): Promise<void> {
    await world.serve("web-0", onSocket);
    await world.serve("web-1", echo);
    world.apply({}, { connection: other, instances: ["web-1"] });
    await until(() => world.status().established && world.status(other).established);
  }

  function dial(of = connection, from = "127.0.0.1"): Socket {
    const [host, port] = world.status(of).rawAddress?.split(":") ?? [];
    const socket = connect({ host: host ?? "", port: Number(port), localAddress: from, allowHalfOpen: true });
    sockets.push(socket.on("error", () => undefined));
    return socket;
  }
  const refusals = () => world.warnings.filter(({ message }) => message === "a connection to a raw port was refused");
  const othersGoOn = async () => await expect(exchange(dial(other), "others go on")).resolves.toBe("others go on");

  it("a flood of connections: one address takes no more than its share, all no more than there is", async () => {
    await serving(echo);
    for (const [from, refused] of [
      ["127.0.0.2", 30],
      ["127.0.0.3", 60],
      ["127.0.0.4", 90],
      ["127.0.0.5", 120],
      ["127.0.0.6", 160],
    ] as const) {
      for (let count = 0; count < 40; count += 1) dial(connection, from);
      await until(() => world.overlay.traffic("port").refused === refused);
    }
    expect(world.overlay.traffic("port")).toMatchObject({ open: 40, refused: 160 });
    await othersGoOn();
    const [line] = refusals();
    expect(line).toMatchObject({ connection, from: expect.stringContaining("127.0.0.2") });
    expect(line).toMatchObject({
      reason: expect.stringMatching(/^there are 10 connections from .*127\.0\.0\.2 already$/),
    });
    // A flood does not fill the log.
    expect(refusals().length).toBeLessThan(160);
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(() => world.overlay.traffic("port").open === 0);
    await expect(exchange(dial(connection, "127.0.0.2"), "again")).resolves.toBe("again");
  });

  it("half-open: who says nothing, or ends at once, keeps nobody out and goes with the connection", async () => {
    await serving(echo);
    const silent = Array.from({ length: 5 }, () => dial());
    const ended = Array.from({ length: 5 }, () => dial());
    for (const socket of ended) socket.end();
    await Promise.all(ended.map(closed));
    await until(() => world.overlay.traffic("port").open === 5);
    await expect(exchange(dial(), "the same one serves")).resolves.toBe("the same one serves");
    await othersGoOn();
    const gone = Promise.all(silent.map(closed));
    world.apply({ connection: other, instances: ["web-1"] });
    await gone;
    await othersGoOn();
  });

  it.each<[string, (socket: Socket) => void, (socket: Socket) => void]>([
    ["slow: who reads nothing of a lot", flood, (socket) => void socket.write("all of it, please")],
    ["oversized: who sends without end to a workload that reads nothing", (socket) => void socket.pause(), flood],
  ])("%s holds no more than buffers have", async (_what, workload, rogue) => {
    let targets = 0;
    await serving((socket) => {
      targets += 1;
      workload(socket);
    });
    const before = targets;
    globalThis.gc?.();
    const resident = process.memoryUsage.rss();
    for (let count = 0; count < 10; count += 1) {
      const socket = dial().pause();
      await once(socket, "connect");
      rogue(socket);
    }
    await until(() => targets - before === 10);
    const carried = () => world.overlay.traffic("port").received + world.overlay.traffic("port").sent;
    // It comes to a stand.
    for (let last = -1, now = carried(); now !== last; ) {
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 500));
      now = carried();
    }
    expect(carried()).toBeGreaterThan(10 * block.length);
    expect(process.memoryUsage.rss() - resident).toBeLessThan(64 << 20);
    await othersGoOn();
  });
});

/** Sends as much as is taken. */
function flood(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on("drain", more);
  more();
}
