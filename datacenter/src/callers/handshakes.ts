import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

interface Arriving {
  readonly socket: Socket;
  readonly deadline: NodeJS.Timeout;
}

/** Who has connected to a port of TLS and has not finished a handshake yet. */
export class Handshakes {
  readonly #patience: number;
  readonly #refuse: (socket: Socket, reason: string) => void;
  /** By address and port. */
  readonly #arriving = new Map<string, Arriving>();

  /**
   * @param patience milliseconds that one may take
   * @param refuse called where it took longer
   */
  constructor(patience: number, refuse: (socket: Socket, reason: string) => void) {
    this.#patience = patience;
    this.#refuse = refuse;
  }

  begin(socket: Socket): void {
    const key = keyOf(socket);
    const deadline = setTimeout(() => {
      this.#refuse(socket, `it took more than ${this.#patience / 1000} s for its TLS handshake`);
    }, this.#patience);
    this.#arriving.set(key, { socket, deadline });
    socket.once("close", () => {
      clearTimeout(deadline);
      if (this.#arriving.get(key)?.socket === socket) this.#arriving.delete(key);
    });
  }

  /** The connection under a stream whose handshake is done. Undefined: it has closed meanwhile. */
  done(stream: TLSSocket): Socket | undefined {
    const key = keyOf(stream);
    const arriving = this.#arriving.get(key);
    if (arriving === undefined) return undefined;
    clearTimeout(arriving.deadline);
    this.#arriving.delete(key);
    return arriving.socket;
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
