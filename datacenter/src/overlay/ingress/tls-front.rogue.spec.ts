import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import { serving, start } from "./testing/started";
import { closed, domain, echo, exchange, type IngressWorld, until } from "./testing/world";

/** What a client begins with that looks for a host name. */
async function clientHello(servername: string): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, servername });
  client.on("error", () => undefined);
  const [socket]: Socket[] = await once(server, "connection");
  const [hello]: Buffer[] = socket === undefined ? [] : await once(socket, "data");
  client.destroy();
  socket?.destroy();
  server.close();
  return hello ?? Buffer.alloc(0);
}

describe("at the port of host names", () => {
  const reasons = (world: IngressWorld) =>
    world.warnings.filter(({ message }) => message === "a connection to a host name was refused");

  it("an unknown name, and none, is refused and logged", async () => {
    const { world, host } = await serving();
    for (const name of ["shop.example.org", `any.${domain}`, domain]) {
      await expect(world.ask(name)).rejects.toThrow();
      expect(reasons(world).at(-1)).toMatchObject({
        from: expect.stringContaining("127.0.0.1"),
        reason: `the host name ${name}: no connection that is served here has this name`,
      });
    }
    await expect(world.ask("", "", { checkServerIdentity: () => undefined })).rejects.toThrow();
    expect(reasons(world).at(-1)).toMatchObject({ reason: expect.stringMatching(/^no host name: /) });
    await expect(world.ask(host, "control")).resolves.toBe("control");
  });

  it.each([
    ["HTTP without TLS", Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), /does not speak TLS/],
    ["a hello of 64 KiB", Buffer.from([22, 3, 1, 64, 0, 1, 1, 0, 0, 3, 3]), /client hello has 65536 bytes/],
    ["a server's hello", Buffer.from([22, 3, 3, 0, 80, 2, 0, 0, 76, 3, 3]), /does not speak TLS/],
    ["garbage within a hello", Buffer.from([22, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9]), /no host name: /],
  ])("%s is refused and logged", async (_, bytes, reason) => {
    const { world, host } = await serving();
    const socket = world.dial();
    socket.write(bytes);
    await closed(socket);
    await until(() => reasons(world).length > 0);
    expect(reasons(world)).toEqual([expect.objectContaining({ reason: expect.stringMatching(reason) })]);
    await expect(world.ask(host, "control")).resolves.toBe("control");
  });

  it("a client hello that was changed, cut off or only half open is closed in time, and reaches nobody", async () => {
    const world = await start({ limits: { connections: 1_000, connectionsPerAddress: 1_000, handshake: 1_000 } });
    let reached = 0;
    await world.serve("web-0", (socket) => {
      reached += 1;
      echo(socket);
    });
    world.apply({});
    await until(() => world.status().established);
    const host = world.url().hostname;
    const hello = await clientHello(host);
    const probes = reached;
    const changed = Array.from({ length: 200 }, (_, n) => {
      const bytes = Buffer.from(hello);
      // Everywhere in turn, from the heads of record and message on.
      const at = (n * 7) % bytes.length;
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 + (n % 255)), at);
      return n % 3 === 0 ? bytes.subarray(0, (n * 5) % bytes.length) : bytes;
    });
    await Promise.all(
      changed.map(async (bytes, n) => {
        const socket = world.dial();
        if (n % 5 === 0) socket.end(bytes);
        else socket.write(bytes);
        await closed(socket);
      }),
    );
    expect(reached).toBe(probes);
    await expect(world.ask(host, "control")).resolves.toBe("control");
  });

  it("who says nothing, or a byte at a time, is refused when the time for a handshake is over", async () => {
    const { world, host } = await serving({
      limits: { connections: 100, connectionsPerAddress: 100, handshake: 500 },
    });
    const silent = world.dial();
    const slow = world.dial();
    const hello = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, ...Array<number>(500).fill(3)]);
    let at = 0;
    const drip = setInterval(() => slow.write(hello.subarray(at, ++at)), 20);
    const began = performance.now();
    await Promise.all([closed(silent), closed(slow)]);
    clearInterval(drip);
    expect(performance.now() - began).toBeGreaterThan(450);
    expect(at).toBeGreaterThan(9);
    expect(reasons(world)).toEqual(
      Array(2).fill(expect.objectContaining({ reason: "it took more than 0.5 s for its TLS handshake" })),
    );
    const long = world.connect(host);
    await once(long, "secureConnect");
    await new Promise((resolve) => setTimeout(resolve, 700));
    await expect(exchange(long, "who has finished may wait")).resolves.toBe("who has finished may wait");
  });

  it("more connections than it takes are refused, and places that become free are given again", async () => {
    const { world, host } = await serving({ limits: { connections: 5, connectionsPerAddress: 3, handshake: 5_000 } });
    const held = [world.connect(host), world.connect(host), world.connect(host)];
    await Promise.all(held.map((socket) => once(socket, "secureConnect")));
    await expect(world.ask(host)).rejects.toThrow();
    expect(reasons(world).at(-1)).toMatchObject({
      reason: expect.stringMatching(/^there are 3 connections from .*127/),
    });
    held[0]?.destroy();
    await until(() => held[0]?.closed === true);
    let answer = "";
    while (answer === "") answer = await world.ask(host, "again").catch(() => "");
    expect(answer).toBe("again");
    for (const socket of held) socket.destroy();
  });

  it("one connection's visitors take no more than half of all places", async () => {
    const other = "dcx1other/7/connections/public";
    const world = await start({ limits: { connections: 6, connectionsPerAddress: 6, handshake: 5_000 } });
    await world.serve("web-0", echo);
    world.apply({}, { connection: other });
    await until(() => world.status().established && world.status(other).established);
    const host = world.url().hostname;
    const held = [world.connect(host), world.connect(host), world.connect(host)];
    for (const socket of held) {
      socket.write("x");
      await once(socket, "data");
    }
    await expect(world.ask(host)).rejects.toThrow();
    expect(reasons(world).at(-1)).toMatchObject({
      reason: `the host name ${host}: there are 3 connections to it already, and others need some too`,
    });
    await expect(world.ask(world.url(other).hostname, "theirs")).resolves.toBe("theirs");
    for (const socket of held) socket.destroy();
  });

  it("a flood of refusals does not fill the log", async () => {
    const { world } = await serving();
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = world.dial();
        socket.write("GET / HTTP/1.1\r\n\r\n");
        await closed(socket);
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const socket = world.dial();
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await closed(socket);
    await until(() => world.warnings.some(({ message }) => message === "as many more refusals were not logged"));
    expect(reasons(world).length).toBeLessThan(150);
  });
});
