import type { Socket } from "node:net";

/** By which a global connection is reached: a port of its own, or a host name. */
export type IngressWay = "port" | "name";
export const ingressWays: readonly IngressWay[] = ["port", "name"];

/** What went through all global connections since the agent began. */
export interface IngressCounts {
  /** Connections that are open. */
  readonly open: number;
  /** Those that were let in. */
  readonly connections: number;
  readonly refused: number;
  /** Bytes of what was carried, without TLS's own. */
  readonly received: number;
  readonly sent: number;
}

interface Traffic {
  readonly open: Set<Socket>;
  connections: number;
  refused: number;
  /** Of those that are closed. */
  received: number;
  sent: number;
}

/** Counts what goes through global connections. */
export class IngressTraffic {
  readonly #traffic: Readonly<Record<IngressWay, Traffic>> = { port: nothing(), name: nothing() };

  /** Counts a connection, and what it carries, until it closes. */
  admitted(way: IngressWay, socket: Socket): void {
    const traffic = this.#traffic[way];
    traffic.connections += 1;
    traffic.open.add(socket);
    socket.once("close", () => {
      traffic.open.delete(socket);
      traffic.received += socket.bytesRead;
      traffic.sent += socket.bytesWritten;
    });
  }

  refused(way: IngressWay): void {
    this.#traffic[way].refused += 1;
  }

  counts(way: IngressWay): IngressCounts {
    const { open, connections, refused, ...closed } = this.#traffic[way];
    let { received, sent } = closed;
    for (const socket of open) {
      received += socket.bytesRead;
      sent += socket.bytesWritten;
    }
    return { open: open.size, connections, refused, received, sent };
  }
}

function nothing(): Traffic {
  return { open: new Set(), connections: 0, refused: 0, received: 0, sent: 0 };
}
