import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface FrailLink {
  readonly url: string;
  /** Bytes that have come over it from the agent behind it. */
  readonly carried: number;
  close(): Promise<void>;
}

/** A link to an agent that breaks, for good, once so many bytes of the agent's have come over it. */
export async function frailLink(url: string, bytes: number): Promise<FrailLink> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let carried = 0;
  const hold = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  };
  const server: Server = createServer((near) => {
    hold(near);
    if (carried >= bytes) return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    hold(far);
    near.pipe(far);
    far.on("data", (chunk: Buffer) => {
      const passed = chunk.subarray(0, Math.max(0, bytes - carried));
      carried += passed.length;
      near.write(passed);
      if (carried >= bytes) for (const socket of sockets) socket.destroy();
    });
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get carried() {
      return carried;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
