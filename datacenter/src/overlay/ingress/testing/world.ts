import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { ConnectionStatus } from "@dcx/protocol";
import { type CertificateWithKey, createDatacenterRoot, createHostLeaf } from "@dcx/protocol";
import type { IngressLimits, IngressNames, Overlay, WantedIngress } from "../../overlay";
import { startOverlay } from "../../start";

const hour = 3_600_000;
export const aroundNow = () => ({ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) });
export const domain = "apps.sierra.example";
export const connection = "dcx1tenant/41/connections/public";

export interface IngressWorldOptions {
  readonly home: string;
  readonly names?: Partial<IngressNames>;
  readonly limits?: Partial<IngressLimits> | undefined;
  readonly rawPorts?: boolean | undefined;
}

/** A datacenter's overlay with host names, in this process; instances are servers on this machine's loopback. */
export class IngressWorld {
  readonly warnings: Record<string, unknown>[] = [];
  readonly infos: string[] = [];
  readonly #services = new Map<string, number>();
  readonly #servers: Server[] = [];
  #overlay: Overlay | undefined;

  private constructor(readonly root: CertificateWithKey) {}

  static async start({ home, limits, names, rawPorts }: IngressWorldOptions): Promise<IngressWorld> {
    const world = new IngressWorld(
      await createDatacenterRoot({ chainId: "test-1", datacenter: "dcx1sierra" }, aroundNow()),
    );
    const notNeeded = async (): Promise<never> => {
      throw new Error("no tunnels here");
    };
    world.#overlay = await startOverlay({
      listen: { host: "127.0.0.1", port: 0 },
      ingress: {
        listen: "127.0.0.1",
        names: {
          domain,
          tls: { host: "127.0.0.1", port: 0 },
          certificates: [],
          issue: async ({ hosts, ...validity }) => {
            const { certificate, key } = await createHostLeaf(world.root, hosts, validity);
            return { certificate: `${certificate.trimEnd()}\n${world.root.certificate}`, privateKey: key };
          },
          own: { resolvers: ["127.0.0.1:1"], recheck: 3_600_000, expiry: 24 * 3_600_000 },
          ...names,
        },
        limits: { connections: 1_000, connectionsPerAddress: 1_000, handshake: 5_000, ...limits },
        ...(rawPorts === undefined ? {} : { rawPorts }),
      },
      egress: { exchange: [], limits: { deny: [], denyPorts: [] } },
      home,
      chainId: "test-1",
      datacenter: "dcx1sierra",
      issue: notNeeded,
      network: async (instance) => ({
        listen: notNeeded,
        dial: async (port) => {
          const at = world.#services.get(`${instance}:${port}`);
          if (at === undefined) throw new Error("connection refused");
          const socket = connectTcp({ port: at, host: "127.0.0.1", allowHalfOpen: true });
          await once(socket, "connect");
          return socket;
        },
      }),
      logger: {
        debug: () => undefined,
        info: (_, message) => world.infos.push(message),
        warn: (details, message) => world.warnings.push({ message, ...details }),
      },
    });
    return world;
  }

  get overlay(): Overlay {
    if (this.#overlay === undefined) throw new Error("it has not started");
    return this.#overlay;
  }

  /** What listens in an instance at port 8080. */
  async serve(instance: string, onSocket: (socket: Socket) => void): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => undefined);
      onSocket(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#servers.push(server);
    this.#services.set(`${instance}:8080`, (server.address() as AddressInfo).port);
  }

  /** Nothing accepts in it any more. */
  fail(instance: string): void {
    this.#services.delete(`${instance}:8080`);
  }

  apply(...ingresses: readonly (Partial<WantedIngress> | undefined)[]): void {
    this.overlay.apply({
      sources: [],
      targets: [],
      egresses: [],
      ingresses: ingresses.map((each) => ({ connection, instances: ["web-0"], port: 8080, ...each })),
    });
  }

  status(of = connection): ConnectionStatus {
    return this.overlay.status().get(`ingress ${of}`) ?? { role: "ingress", established: false };
  }

  /** Where a connection's own address leads. */
  url(of = connection): URL {
    return new URL(this.status(of).address ?? "none:");
  }

  /** A TLS connection to a host name, as a client makes it that trusts the datacenter's root. */
  connect(servername: string, options: ConnectionOptions = {}): TLSSocket {
    const port = Number(this.url().port);
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      ca: this.root.certificate,
      servername,
      ...options,
    });
    return socket;
  }

  /** What comes back for a text that is sent and ended. Rejects where the stream breaks or the name is not proven. */
  async ask(servername: string, text = "hello", options: ConnectionOptions = {}): Promise<string> {
    const socket = this.connect(servername, options);
    await once(socket, "secureConnect");
    return exchange(socket, text);
  }

  /** A plain connection to the port of TLS. */
  dial(): Socket {
    const socket = connectTcp({ host: "127.0.0.1", port: Number(this.url().port) });
    socket.on("error", () => undefined);
    return socket;
  }

  async close(): Promise<void> {
    await this.overlay.close();
    for (const server of this.#servers) server.close();
  }
}

export async function exchange(socket: Duplex, text: string): Promise<string> {
  socket.end(text);
  let answer = "";
  for await (const data of socket) answer += data;
  return answer;
}

export const echo = (socket: Socket): void => void socket.pipe(socket);

/** Rejects after 100 seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 100_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it never came to this: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resolves when a socket is closed, however. */
export async function closed(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.resume();
  if (!socket.closed) await once(socket, "close").catch(() => undefined);
}
