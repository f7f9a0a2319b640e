import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A link over which an agent sends no more than so many bytes a second to all others together. */
export interface ShapedLink {
  /** By which the agent is reached over it. */
  readonly url: string;
  close(): Promise<void>;
}

export async function shapedLink(url: string, bytesPerSecond: number): Promise<ShapedLink> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  /** When the link is free again. */
  let free = 0;
  const hold = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    hold(near);
    hold(far);
    near.pipe(far);
    far.on("data", (data) => {
      const begins = Math.max(performance.now(), free);
      free = begins + (data.length / bytesPerSecond) * 1000;
      far.pause();
      setTimeout(() => {
        near.write(data);
        far.resume();
      }, free - performance.now());
    });
    far.once("close", () => near.destroy());
    near.once("close", () => far.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
