import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { declaredPair, dialDoor, exchange, until, type World } from "./testing/worlds";

/** What somebody does to the tunnel port who has no part in any connection, or is broken. */
describe("the tunnel port, to a rogue", () => {
  async function callTunnelPort(world: World): Promise<Socket> {
    const { hostname, port } = new URL(`tcp://${world.overlay.address}`);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined).resume();
    await once(socket, "connect");
    return socket;
  }
  const refusals = ({ refusals: all }: World) => all.filter(({ message }) => message === "a tunnel was refused");

  it.each<[string, Buffer]>([
    ["malformed: what is no TLS", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
    ["oversized: a record longer than TLS has", Buffer.from([0x16, 3, 1, 0xff, 0xff, ...Buffer.alloc(70_000)])],
  ])(
    "%s is refused, and logged",
    async (_what, bytes) => {
      const { west, east } = await declaredPair();
      const socket = await callTunnelPort(east);
      const closed = once(socket, "close");
      socket.write(bytes);
      await closed;
      await until(() => refusals(east).length > 0);
      await expect(exchange(dialDoor(west), "others go on")).resolves.toBe("others go on");
    },
    20_000,
  );

  it("half-open: who begins no handshake is let go after ten seconds, and logged", async () => {
    const { west, east } = await declaredPair();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => callTunnelPort(east)));
    await expect(exchange(dialDoor(west), "others go on")).resolves.toBe("others go on");
    await Promise.all(sockets.map((socket) => once(socket, "close")));
    await until(() => refusals(east).length >= 20);
  }, 40_000);
});
