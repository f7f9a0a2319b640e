import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A way to a server that can be cut off as a firewall does it: what is sent is lost, and nobody says so. */
export class DroppableLink {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #dropping = false;

  private constructor(port: number) {
    this.#server = createServer((near) => {
      this.#hold(near);
      if (this.#dropping) return;
      const far = connect(port, "127.0.0.1");
      this.#hold(far);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on("data", (chunk: Buffer) => {
          if (!this.#dropping) to.write(chunk);
        });
        from.once("close", () => to.destroy());
      }
    });
  }

  /** @param url of the server on this machine that it leads to */
  static async to(url: string): Promise<DroppableLink> {
    const link = new DroppableLink(Number(new URL(url).port));
    await once(link.#server.listen(0, "127.0.0.1"), "listening");
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  drop(): void {
    this.#dropping = true;
  }

  /** Connections of before are broken by now, as whoever lost their packets would find. */
  restore(): void {
    this.#dropping = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => this.#sockets.delete(socket));
  }
}
