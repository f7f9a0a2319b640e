import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Transform, type TransformCallback } from "node:stream";
import { freePorts } from "./ports";

/** Lets bytes through, but for while it is shut: then they wait, as they do in a network that was cut. */
class Gate extends Transform {
  private waiting: (() => void) | undefined;

  constructor(private shut: boolean) {
    super();
  }

  set isShut(shut: boolean) {
    this.shut = shut;
    if (shut) return;
    this.waiting?.();
    this.waiting = undefined;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.shut) this.waiting = () => done(null, chunk);
    else done(null, chunk);
  }
}

/** The way from one node to another. */
class Link {
  private readonly gates = new Set<Gate>();
  private readonly sockets = new Set<Socket>();
  private shut = false;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly target: number,
  ) {
    server.on("connection", (near) => this.join(near));
  }

  static async start(port: number, target: number): Promise<Link> {
    const server = createServer();
    const link = new Link(server, port, target);
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return link;
  }

  set isShut(shut: boolean) {
    this.shut = shut;
    for (const gate of this.gates) gate.isShut = shut;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  private join(near: Socket): void {
    const far = connect(this.target, "127.0.0.1");
    const gates = [new Gate(this.shut), new Gate(this.shut)] as const;
    near.pipe(gates[0]).pipe(far);
    far.pipe(gates[1]).pipe(near);
    for (const gate of gates) this.gates.add(gate);
    const end = () => {
      for (const socket of [near, far]) {
        socket.destroy();
        this.sockets.delete(socket);
      }
      for (const gate of gates) this.gates.delete(gate);
    };
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
  }
}

/**
 * The network between the nodes of a test: each reaches each other over a port of its own, so that one can be cut off
 * from another. A cut ends no connection and refuses none: what is sent meanwhile comes when it is healed.
 */
export class PeerLinks {
  private constructor(
    /** By who connects, then to whom. */
    private readonly links: readonly (readonly Link[])[],
  ) {}

  /** @param targets ports on which the nodes listen */
  static async start(targets: readonly number[]): Promise<PeerLinks> {
    const ports = await freePorts(targets.length ** 2);
    return new PeerLinks(
      await Promise.all(
        targets.map((_, from) =>
          Promise.all(targets.map((target, to) => Link.start(ports[from * targets.length + to] ?? 0, target))),
        ),
      ),
    );
  }

  /** On which `from` reaches `to`. */
  port(from: number, to: number): number {
    const link = this.links[from]?.[to];
    if (link === undefined) throw new Error(`there is no way from ${from} to ${to}`);
    return link.port;
  }

  /** Between these and all others. */
  cut(side: readonly number[]): void {
    for (const [from, ways] of this.links.entries()) {
      for (const [to, link] of ways.entries()) link.isShut = side.includes(from) !== side.includes(to);
    }
  }

  heal(): void {
    this.cut([]);
  }

  async close(): Promise<void> {
    await Promise.all(this.links.flat().map((link) => link.close()));
  }
}
