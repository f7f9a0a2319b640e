import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { createDatacenterRoot } from "@dcx/protocol";
import { generatedLabel } from "./generated-name";
import { folder, serving, start } from "./testing/started";
import { aroundNow, closed, connection, domain, echo, exchange, until } from "./testing/world";

describe("a global connection at its host name", () => {
  it("is reached by TLS that ends at the datacenter, under its root", async () => {
    const { world, host } = await serving();
    expect(host).toBe(`${generatedLabel("test-1", connection)}.${domain}`);
    expect(world.status()).toMatchObject({ rawAddress: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    await expect(world.ask(host, "over TLS")).resolves.toBe("over TLS");
    await expect(world.ask(host.toUpperCase(), "any case")).resolves.toBe("any case");
    const old = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
    await expect(world.ask(host, "TLS 1.2", old)).resolves.toBe("TLS 1.2");
    await expect(world.ask(host, "", { maxVersion: "TLSv1.1", minVersion: "TLSv1" })).rejects.toThrow();
    const other = await createDatacenterRoot({ chainId: "test-1", datacenter: "dcx1sierra" }, aroundNow());
    await expect(world.ask(host, "", { ca: other.certificate })).rejects.toThrow(/self-signed|verify/);
  });

  it("keeps name and port over a restart of the agent", async () => {
    const home = mkdtempSync(join(folder, "home-"));
    const first = await start({}, home);
    first.apply({});
    const { address } = first.status();
    await first.close();
    const second = await start({}, home);
    second.apply({});
    expect(second.status().address).toBe(address);
  });

  it("is spread over the instances, and goes on with one when the other does not accept", async () => {
    const { world, host } = await serving();
    for (const name of ["web-0", "web-1"]) await world.serve(name, (socket) => socket.end(name));
    world.apply({ instances: ["web-0", "web-1"] });
    const both = await Promise.all(Array.from({ length: 6 }, () => world.ask(host)));
    expect(both.filter((name) => name === "web-0")).toHaveLength(3);
    expect(both.filter((name) => name === "web-1")).toHaveLength(3);
    world.fail("web-0");
    const one = await Promise.all(Array.from({ length: 6 }, () => world.ask(host)));
    expect(new Set(one)).toEqual(new Set(["web-1"]));
  });

  it("leads to its own target, whatever else is served", async () => {
    const world = await start();
    const other = "dcx1other/7/connections/public";
    await world.serve("web-0", (socket) => socket.end("mine"));
    await world.serve("web-1", (socket) => socket.end("theirs"));
    world.apply({}, { connection: other, instances: ["web-1"] });
    await until(() => world.status().established && world.status(other).established);
    await expect(world.ask(world.url().hostname)).resolves.toBe("mine");
    await expect(world.ask(world.url(other).hostname)).resolves.toBe("theirs");
  });

  it("cuts what is established when it is removed, and nothing of another one", async () => {
    const world = await start();
    const other = "dcx1other/7/connections/public";
    await world.serve("web-0", echo);
    world.apply({}, { connection: other });
    await until(() => world.status().established && world.status(other).established);
    const [mine, theirs] = [world.connect(world.url().hostname), world.connect(world.url(other).hostname)];
    for (const socket of [mine, theirs]) {
      socket.write("x");
      await once(socket, "data");
    }
    const host = world.url().hostname;
    let ended = false;
    mine.on("end", () => {
      ended = true;
    });
    const broken = once(mine, "error");
    world.apply({ connection: other });
    await expect(broken).resolves.toMatchObject([{ code: "ECONNRESET" }]);
    expect(ended).toBe(false);
    theirs.write("y");
    await expect(once(theirs, "data")).resolves.toEqual([Buffer.from("y")]);
    await expect(world.ask(host, "", { port: Number(world.url(other).port) })).rejects.toThrow(/disconnected/);
    theirs.destroy();
  });

  it("passes on the end of one direction alone, and an abort as an abort", async () => {
    const { world, host } = await serving();
    const arrived: string[] = [];
    const errors: unknown[] = [];
    await world.serve("web-0", (socket) => {
      let text = "";
      socket.on("data", (data) => {
        text += data;
        arrived.push(String(data));
      });
      socket.on("end", () => socket.end(`had ${text}`));
      socket.on("error", (error) => errors.push(error));
    });
    await expect(world.ask(host, "all")).resolves.toBe("had all");
    expect(errors).toEqual([]);
    const caller = world.dial();
    await once(caller, "connect");
    const socket = world.connect(host, { socket: caller });
    socket.on("error", () => undefined);
    socket.write("half");
    await until(() => arrived.includes("half"));
    caller.resetAndDestroy();
    await until(() => errors.length > 0);
    expect(errors).toMatchObject([{ code: "ECONNRESET" }]);
  });

  it("speaks HTTP/1.1 to whoever offers it, and else what they ask for", async () => {
    const { world, host } = await serving();
    const chosen = async (ALPNProtocols: string[]) => {
      const socket = world.connect(host, { ALPNProtocols });
      await once(socket, "secureConnect");
      socket.destroy();
      return socket.alpnProtocol;
    };
    await expect(chosen(["h2", "http/1.1"])).resolves.toBe("http/1.1");
    await expect(chosen(["h2"])).resolves.toBe("h2");
    await expect(chosen(["postgresql"])).resolves.toBe("postgresql");
    await expect(chosen(["acme-tls/1"])).rejects.toThrow(/no application protocol|ECONNRESET/);
  });

  it("moves a lot while the reader is slow", async () => {
    const { world, host } = await serving();
    const size = 64 << 20;
    let sent = 0;
    await world.serve("web-0", (socket) => {
      const block = Buffer.alloc(1 << 16, 7);
      const more = (): void => {
        while (sent < size) {
          sent += block.length;
          if (!socket.write(block)) return;
        }
        socket.end();
      };
      socket.on("drain", more);
      more();
    });
    const socket = world.connect(host);
    await once(socket, "secureConnect");
    socket.pause();
    let before = -1;
    // It stops by itself: nobody keeps what is not read.
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(size / 2);
    let received = 0;
    for await (const data of socket) received += data.length;
    expect(received).toBe(size);
  });
});

describe("ports of global connections", () => {
  it("are none where the operator wants host names alone", async () => {
    const { world, host } = await serving({ rawPorts: false });
    const status = world.status();
    expect(status).toMatchObject({ established: true, address: expect.stringContaining(host) });
    expect(status.rawAddress).toBeUndefined();
    await expect(world.ask(host, "by name")).resolves.toBe("by name");
  });

  it("and host names: what goes through is counted, as the workload sees it", async () => {
    const { world, host } = await serving({ limits: { connectionsPerAddress: 3 } });
    const idle = world.connect(host);
    await once(idle, "secureConnect");
    await world.ask(host, "a".repeat(100_000));
    const [, port] = world.status().rawAddress?.split(":") ?? [];
    const raw = () => {
      const socket = createConnection({ port: Number(port), host: "127.0.0.1" });
      socket.on("error", () => undefined);
      return socket;
    };
    await expect(exchange(raw(), "b".repeat(2_000))).resolves.toHaveLength(2_000);
    const held = [raw(), raw(), raw()];
    await until(() => world.overlay.traffic("port").open === 3);
    await closed(raw());
    await world.ask("unknown.example").catch(() => undefined);
    await until(() => world.overlay.traffic("name").refused === 1);
    expect(world.overlay.traffic("name")).toEqual({
      ...{ open: 1, connections: 2, refused: 1 },
      ...{ received: 100_000, sent: 100_000 },
    });
    expect(world.overlay.traffic("port")).toEqual({
      ...{ open: 3, connections: 4, refused: 1 },
      ...{ received: 2_000, sent: 2_000 },
    });
    for (const socket of [idle, ...held]) socket.destroy();
    await until(() => world.overlay.traffic("port").open + world.overlay.traffic("name").open === 0);
  });
});
