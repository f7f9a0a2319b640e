/** A program: measures what a way to the service does, one figure at a time. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * `throughput`: MiB a second over one connection; `connections`: connections a second, each opened, used and closed, 32 at
 * a time; `latency`: the 99th percentile of a small message there and back in milliseconds, on 32 connections at once.
 */
export type Kind = "throughput" | "connections" | "latency";

export interface Order {
  readonly kind: Kind;
  readonly host: string;
  readonly port: number;
  /** Milliseconds. */
  readonly duration: number;
}

const workers = 32;
const message = Buffer.alloc(64, 1);

type Measure = (order: Order) => Promise<number>;

const throughput: Measure = async ({ host, port, duration }) => {
  let received = 0;
  const onread = {
    buffer: Buffer.alloc(1 << 18),
    callback: (bytes: number) => {
      received += bytes;
      return true;
    },
  };
  const socket = connect({ host, port, onread });
  socket.on("error", () => undefined);
  socket.write("s");
  while (received === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, duration / 5));
  const [start, before] = [performance.now(), received];
  await new Promise((resolve) => setTimeout(resolve, duration));
  const speed = (received - before) / 2 ** 20 / ((performance.now() - start) / 1000);
  socket.destroy();
  return speed;
};

const connections: Measure = async (order) => {
  const end = performance.now() + order.duration;
  let count = 0;
  const start = performance.now();
  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      const socket = await opened(order);
      await answered(socket);
      const closed = once(socket, "close");
      socket.end();
      await closed;
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return count / ((performance.now() - start) / 1000);
};

const latency: Measure = async (order) => {
  const sockets = await Promise.all(Array.from({ length: workers }, () => opened(order)));
  await Promise.all(sockets.map(answered));
  const end = performance.now() + order.duration;
  const taken: number[] = [];
  const work = async (socket: Socket): Promise<void> => {
    while (performance.now() < end) {
      const start = performance.now();
      socket.write(message);
      await answered(socket);
      taken.push(performance.now() - start);
    }
    socket.destroy();
  };
  await Promise.all(sockets.map(work));
  taken.sort((left, right) => left - right);
  return taken[Math.floor(taken.length * 0.99)] ?? Number.NaN;
};

/** A connection that has sent its first message. */
async function opened({ host, port }: Order): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  socket.on("error", (error) => socket.destroy(error));
  await once(socket, "connect");
  socket.write(Buffer.concat([Buffer.from("e"), message]));
  return socket;
}

/** Resolves when a whole message is back. */
function answered(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let missing = message.length;
    const onData = (data: Buffer): void => {
      missing -= data.length;
      if (missing <= 0) {
        socket.off("data", onData).off("close", onClose);
        resolve();
      }
    };
    const onClose = (): void => reject(new Error("the connection was closed before the answer"));
    socket.on("data", onData).on("close", onClose);
  });
}

const measures: Readonly<Record<Kind, Measure>> = { throughput, connections, latency };

process.on("message", (order: Order) => {
  measures[order.kind](order).then(
    (figure) => process.send?.({ figure }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
