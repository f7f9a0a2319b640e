import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { createDatacenterRoot } from "@dcx/protocol";
import { around, chainId, servers } from "./testing/worlds";
import { tunnelProtocol } from "./tunnel-opening";
import { TunnelSession } from "./tunnel-session";

it("ends when nothing is carried any more, though the other end does not close the connection", async () => {
  const { certificate, key } = await createDatacenterRoot({ chainId, datacenter: "east" }, around());
  const ended = jest.fn();
  const server = createServer(
    { cert: certificate, key, ALPNProtocols: [tunnelProtocol], allowHalfOpen: true },
    (there) =>
      there
        .on("error", () => undefined)
        .on("end", ended)
        .resume(),
  );
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket: TLSSocket = connect({
    host: "127.0.0.1",
    port,
    ALPNProtocols: [tunnelProtocol],
    rejectUnauthorized: false,
  });
  await once(socket, "secureConnect");
  let session: TunnelSession | undefined;
  const closed = new Promise<void>((resolve) => {
    const presented = { leaf: Buffer.alloc(0), notAfter: new Date(), own: "" };
    session = new TunnelSession(socket, presented, { onGoAway: () => undefined, onClose: resolve });
  });
  expect(session?.carries).toBe(true);
  session?.retire();
  expect(session?.carries).toBe(false);
  await closed;
  expect(ended).toHaveBeenCalled();
  expect(socket.destroyed).toBe(true);
});
