import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect, createServer, Socket } from "node:net";
import { join } from "node:path";
import {
  apply,
  connection,
  datacenter,
  declaredPair,
  dialDoor,
  echo,
  established,
  exchange,
  folder,
  identity,
  leaseOf,
  notAfterOf,
  serve,
  servers,
  sourceOf,
  targetOf,
  until,
  type World,
  worlds,
} from "./testing/worlds";

/** A way to an address on which everything takes so many milliseconds longer, each direction. */
async function delayedBy(delay: number, address: string): Promise<{ readonly address: string }> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const server = createServer({ allowHalfOpen: true }, (here) => {
    const there = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("data", (data) => setTimeout(() => to.write(data), delay));
      from.on("end", () => setTimeout(() => to.end(), delay));
    }
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

it("carries a declared pair, across datacenters", async () => {
  const { west, east } = await declaredPair();
  await expect(exchange(dialDoor(west), "hello")).resolves.toBe("hello");
  expect(east.overlay.status().get(`target ${connection}`)).toEqual({ role: "target", established: true });
  expect(east.refusals).toEqual([]);
});

it("carries a declared pair within one datacenter", async () => {
  const west = await datacenter("west");
  await serve(west, "api-0", 9000, echo);
  apply(west, { sources: [sourceOf(west, west)], targets: [targetOf(west, west)] });
  await until(() => established(west, `source ${connection}`));
  await expect(exchange(dialDoor(west), "hello")).resolves.toBe("hello");
});

it("carries many connections at once through one tunnel", async () => {
  const { west } = await declaredPair();
  const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => exchange(dialDoor(west), `n${n}`)));
  expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => `n${n}`));
});

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
});

it("passes on the end of who sends nothing, which comes before there is another side", async () => {
  const west = await datacenter("west");
  const east = await datacenter("east");
  await serve(east, "api-0", 9000, (socket) => socket.resume().on("end", () => socket.end("heard it")));
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() => established(west, `source ${connection}`));
  await expect(exchange(dialDoor(west), "")).resolves.toBe("heard it");
});

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
});

it("is not held to a small window in each round trip, however many flows share the tunnel", async () => {
  const [west, east] = [await datacenter("west"), await datacenter("east")];
  const size = 1 << 20;
  await serve(east, "api-0", 9000, (socket) => socket.end(Buffer.alloc(size, 7)));
  const roundTrip = 200;
  const { address } = await delayedBy(roundTrip / 2, east.overlay.address);
  const targets = [{ ...identity(east, "api"), addresses: [address] }];
  apply(west, { sources: [sourceOf(west, east, { targets })] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() => established(west, `source ${connection}`));
  const began = performance.now();
  const all = await Promise.all(Array.from({ length: 8 }, () => exchange(dialDoor(west), "")));
  expect(all.map((text) => text.length)).toEqual(Array.from({ length: 8 }, () => size));
  // With HTTP/2's own 64 KiB for all of them it would take 128 round trips.
  expect(performance.now() - began).toBeLessThan(60 * roundTrip);
});

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
});

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
});

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
});

it("is established once all instances know the target's name: those that were started without the connection do not", async () => {
  const [west, east] = [await datacenter("west"), await datacenter("east")];
  await serve(east, "api-0", 9000, echo);
  apply(east, { targets: [targetOf(west, east)] });
  const run = (instances: readonly string[], current: readonly string[], older: boolean) =>
    apply(west, { sources: [sourceOf(west, east, { instances, current, older })] });
  const untilNot = (why: RegExp) =>
    until(() => why.test(west.overlay.status().get(`source ${connection}`)?.message ?? ""));
  run(["web-old"], [], true);
  await untilNot(/no instance of the source has started with this connection/);
  run(["web-old", "web-new"], ["web-new"], true);
  await untilNot(/started before this connection still runs/);
  // It finishes what it has begun.
  run(["web-old", "web-new"], ["web-new"], false);
  await until(() => established(west, `source ${connection}`));
  // While it is rolled later on, those of before know the name.
  run(["web-new", "web-newer"], ["web-newer"], true);
  await until(() => established(west, `source ${connection}`));
});

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
});

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
});

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
});

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
});

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
});

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
});

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
  });

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
  });
});
