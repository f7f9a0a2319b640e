import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type CertificateWithKey, createDatacenterRoot, createLeaf } from "@dcx/protocol";
import { usualTunnelLimits } from "./limits";
import {
  apply,
  around,
  chainId,
  connection,
  declaredPair,
  dialDoor,
  established,
  exchange,
  leaseOf,
  sourceOf,
  until,
  type World,
} from "./testing/worlds";
import { tunnelName } from "./tunnel-name";
import { tunnelProtocol } from "./tunnel-opening";

/** What somebody does to the tunnel port who has no part in any connection, or is broken. */
describe("the tunnel port, to a rogue", () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  const portOf = ({ overlay }: World) => Number(new URL(`tcp://${overlay.address}`).port);

  async function callTunnelPort(world: World, from = "127.0.0.1"): Promise<Socket> {
    const socket = connect({ port: portOf(world), host: "127.0.0.1", localAddress: from });
    sockets.push(socket.on("error", () => undefined).resume());
    await once(socket, "connect");
    return socket;
  }

  /** A tunnel of the declared source's as far as TLS goes, with a certificate under this root. */
  async function callAs(west: World, east: World, root: CertificateWithKey): Promise<TLSSocket> {
    const identity = { chainId, datacenter: west.name, workload: { lease: leaseOf(west), name: "web" } };
    const { certificate, key } = await createLeaf(root, identity, around());
    const socket = connectTls({
      port: portOf(east),
      host: "127.0.0.1",
      servername: tunnelName(chainId, connection, leaseOf(east)),
      cert: certificate,
      key,
      ALPNProtocols: [tunnelProtocol],
      rejectUnauthorized: false,
    });
    sockets.push(socket.on("error", () => undefined).resume());
    await once(socket, "secureConnect");
    return socket;
  }

  const refusals = ({ refusals: all }: World) => all.filter(({ message }) => message === "a tunnel was refused");
  const reasons = (world: World) => refusals(world).map(({ details }) => String(details["reason"]));
  const othersGoOn = async (west: World) =>
    await expect(exchange(dialDoor(west), "others go on")).resolves.toBe("others go on");

  it.each<[string, Buffer]>([
    ["malformed: what is no TLS", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
    ["oversized: a record longer than TLS has", Buffer.from([0x16, 3, 1, 0xff, 0xff, ...Buffer.alloc(70_000)])],
  ])("%s is refused, and logged", async (_what, bytes) => {
    const { west, east } = await declaredPair();
    const socket = await callTunnelPort(east);
    const closed = once(socket, "close");
    socket.write(bytes);
    await closed;
    await until(() => refusals(east).length > 0);
    await othersGoOn(west);
  });

  it("half-open: who begins no handshake is let go after ten seconds, and logged", async () => {
    const { west, east } = await declaredPair();
    const silent = await Promise.all(Array.from({ length: 20 }, () => callTunnelPort(east)));
    await othersGoOn(west);
    await until(() => silent.every((socket) => socket.closed));
    await until(() => refusals(east).length >= 20);
    expect(east.overlay.tunnels()).toMatchObject({ arriving: 0, refused: 20, open: 1 });
  }, 40_000);

  it("a flood of ten thousand: so many are held and no more, and who is declared comes in meanwhile", async () => {
    // Nobody is let go for being late meanwhile.
    const { west, east } = await declaredPair({ tunnels: { ...usualTunnelLimits, handshakeTimeout: 60_000 } });
    const counts = () => east.overlay.tunnels();
    const flood = async (from: string, connections: number) => {
      await Promise.all(Array.from({ length: connections }, () => callTunnelPort(east, from)));
    };
    globalThis.gc?.();
    const resident = process.memoryUsage.rss();
    await flood("127.0.0.2", 1_000);
    await until(() => counts().refused === 750);
    expect(counts().arriving).toBe(250);
    expect(reasons(east)).toContainEqual(
      expect.stringMatching(
        /^there are 250 connections from .*127\.0\.0\.2 already that have not finished a handshake$/,
      ),
    );
    for (let address = 3; address < 39; address += 1) await flood(`127.0.0.${address}`, 250);
    await until(() => counts().refused === 9_000);
    expect(counts().arriving).toBe(1_000);
    expect(process.memoryUsage.rss() - resident).toBeLessThan(256 << 20);
    // Twenty lines a second, not one for each.
    expect(refusals(east).length).toBeLessThan(5_000);

    await othersGoOn(west);
    apply(west, {});
    await until(() => counts().open === 0);
    apply(west, { sources: [sourceOf(west, east)] });
    await until(() => established(west, `source ${connection}`));
    await othersGoOn(west);
    expect(counts()).toMatchObject({ arriving: 999, open: 1, tunnels: 2 });
  }, 120_000);

  it("who finishes a handshake and is not declared holds nothing", async () => {
    const { west, east } = await declaredPair();
    const stranger = await createDatacenterRoot({ chainId, datacenter: west.name }, around());
    for (let round = 0; round < 10; round += 1) {
      const calls = await Promise.all(Array.from({ length: 20 }, () => callAs(west, east, stranger)));
      await Promise.all(calls.map((socket) => (socket.closed ? undefined : once(socket, "close"))));
    }
    await until(() => east.overlay.tunnels().refused === 200);
    expect(east.overlay.tunnels()).toMatchObject({ arriving: 0, open: 1, tunnels: 1 });
    await othersGoOn(west);
  });

  it("a declared source has so many tunnels and no more", async () => {
    const { west, east } = await declaredPair({ tunnels: { ...usualTunnelLimits, perSource: 5 } });
    await Promise.all(Array.from({ length: 20 }, () => callAs(west, east, west.root)));
    await until(() => east.overlay.tunnels().refused === 16);
    expect(east.overlay.tunnels()).toMatchObject({ arriving: 0, open: 5 });
    expect(reasons(east)).toContain("it has 5 tunnels already");
    await othersGoOn(west);
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(() => east.overlay.tunnels().open === 1);
    await callAs(west, east, west.root);
    await until(() => east.overlay.tunnels().open === 2);
  });
});
