import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { z } from "zod";
import { arrivalPorts, redirect } from "./redirect";
import type { InnerListener, InstanceNetwork } from "./runtime";

/** How to run a program inside an instance's network as it is now. */
export interface NamespaceEntry {
  /** Changes when the instance gets a new network. */
  readonly key: string;
  /** Command line that the program's is appended to. */
  readonly enter: readonly string[];
}

const Reply = z.object({ id: z.number(), error: z.string().optional(), accepted: z.boolean().optional() });
type Reply = z.infer<typeof Reply>;

interface Helper {
  readonly key: string;
  readonly child: ChildProcess;
}

interface Listening {
  readonly address: string;
  readonly port: number;
  readonly onStream: (stream: Duplex) => void;
  key: string;
  server?: Server;
  /** Where its connections are redirected to; absent: it listens at `port` itself. */
  arrival?: number;
  /** Id of the request that made it: connections that the helper accepted come under it. */
  request: number;
}

/** How many ports are tried before it is said that there is none. */
const mostTries = 32;

/**
 * An instance's network, reached through a small helper process in it that hands over sockets. When the instance gets
 * a new network (its container started again) `refresh` listens there anew.
 *
 * A program that listens on all its addresses would want the same port as a listener at one of them. So where the
 * machine can redirect connections, listeners are at ports of their own.
 */
export class NamespaceNetwork implements InstanceNetwork {
  readonly #find: () => Promise<NamespaceEntry>;
  readonly #command: readonly string[];
  readonly #listening = new Set<Listening>();
  readonly #pending = new Map<number, (reply: Reply | Error, handle: unknown) => void>();
  #helper: Promise<Helper> | undefined;
  /** Redirections are set one after the other: each time all of them. */
  #redirecting: Promise<void> = Promise.resolve();
  #next = 1;
  #closed = false;

  /** `command` is the helper's own command line. */
  constructor(find: () => Promise<NamespaceEntry>, command: readonly string[]) {
    this.#find = find;
    this.#command = command;
  }

  async listen(address: string, port: number, onStream: (stream: Duplex) => void): Promise<InnerListener> {
    const listening: Listening = { address, port, onStream, key: "", request: 0 };
    this.#listening.add(listening);
    try {
      await this.#open(listening);
    } catch (error) {
      this.#listening.delete(listening);
      throw error;
    }
    return {
      address,
      port,
      close: async () => {
        this.#listening.delete(listening);
        listening.server?.close();
        // Where it can't be set, the instance or its network is gone.
        if (listening.arrival !== undefined && !this.#closed) await this.#redirect().catch(() => undefined);
      },
    };
  }

  async dial(port: number): Promise<Duplex> {
    const { handle } = await this.#ask({ dial: port });
    if (!(handle instanceof Socket)) {
      throw new Error(`port ${port} was opened, but its socket got lost`);
    }
    return prepared(handle);
  }

  /** To be called when the instance may have a new network. */
  async refresh(): Promise<void> {
    if (this.#closed || this.#listening.size === 0) {
      return;
    }
    const { key } = await this.#find();
    for (const listening of this.#listening) {
      if (listening.key !== "" && listening.key !== key) {
        listening.server?.close();
        await this.#open(listening);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const helper = this.#helper;
    this.#helper = undefined;
    for (const { server } of this.#listening) {
      server?.close();
    }
    this.#listening.clear();
    await helper?.then(({ child }) => stopHelper(child)).catch(() => undefined);
  }

  async #open(listening: Listening): Promise<void> {
    delete listening.arrival;
    let refusal: string;
    try {
      await this.#openElsewhere(listening);
      await this.#redirect();
      return;
    } catch (error) {
      refusal = messageOf(error);
    }
    delete listening.arrival;
    listening.server?.close();
    try {
      await this.#openAt(listening, listening.port);
    } catch (error) {
      if (!isTaken(error)) throw error;
      throw new Error(
        `the workload listens on port ${listening.port} of all its addresses itself, and its connection can't be ` +
          `redirected to another port: ${refusal}`,
      );
    }
  }

  /** Listens at some port that redirected connections are to arrive at. */
  async #openElsewhere(listening: Listening): Promise<void> {
    const { first, last } = arrivalPorts;
    const count = last - first + 1;
    const start = Math.floor(Math.random() * count);
    for (let tries = 1; listening.arrival === undefined; tries++) {
      const port = first + ((start + tries) % count);
      try {
        await this.#openAt(listening, port);
        listening.arrival = port;
      } catch (error) {
        if (!isTaken(error) || tries === mostTries) throw error;
      }
    }
  }

  async #openAt(listening: Listening, port: number): Promise<void> {
    const { address, onStream } = listening;
    listening.request = this.#next;
    const { handle, key } = await this.#ask({ listen: { address, port } });
    if (!(handle instanceof Server)) {
      throw new Error(`${address}:${port} was opened, but its socket got lost`);
    }
    listening.key = key;
    listening.server = handle;
    // The type of a server's own options is not declared; both are read at each connection.
    Object.assign(handle, { allowHalfOpen: true });
    handle.on("connection", (socket) => onStream(prepared(socket)));
    handle.on("error", () => undefined);
  }

  #redirect(): Promise<void> {
    const set = async () => {
      const { enter, key } = await this.#find();
      const here = [...this.#listening].filter((listening) => listening.key === key);
      const redirections = here.flatMap(({ address, port, arrival }) =>
        arrival === undefined ? [] : [{ address, port, to: arrival }],
      );
      await redirect(enter, redirections);
    };
    const done = this.#redirecting.then(set);
    this.#redirecting = done.catch(() => undefined);
    return done;
  }

  async #ask(request: object): Promise<{ handle: unknown; key: string }> {
    const id = this.#next++;
    const { child, key } = await this.#connect();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, (reply, handle) => {
        this.#pending.delete(id);
        if (reply instanceof Error || reply.error !== undefined) {
          reject(reply instanceof Error ? reply : new Error(reply.error));
        } else {
          resolve({ handle, key });
        }
      });
      child.send({ ...request, id }, (error) => {
        if (error !== null) {
          this.#pending.get(id)?.(error, undefined);
        }
      });
    });
  }

  /** One after the other, so that there is never more than one helper. */
  #connect(): Promise<Helper> {
    const previous = this.#helper;
    const helper = this.#reuseOrStart(previous);
    this.#helper = helper;
    return helper;
  }

  async #reuseOrStart(previous: Promise<Helper> | undefined): Promise<Helper> {
    const present = await previous?.catch(() => undefined);
    if (this.#closed) {
      // Whoever closes it waits for the newest request alone: what an earlier one began ends here.
      if (present !== undefined) await stopHelper(present.child);
      throw new Error("the instance's network is closed");
    }
    const entry = await this.#find();
    if (present !== undefined && present.key === entry.key && present.child.connected) {
      return present;
    }
    if (present !== undefined) {
      await stopHelper(present.child);
    }
    return this.#start(entry);
  }

  async #start(entry: NamespaceEntry): Promise<Helper> {
    const [file = "", ...rest] = [...entry.enter, ...this.#command];
    const child = spawn(file, rest, { stdio: ["ignore", "ignore", "pipe", "ipc"], env: {} });
    let errors = "";
    child.stderr?.on("data", (data) => {
      errors = `${errors}${data}`.slice(-1000);
    });
    child.on("error", () => undefined);
    const ended = once(child, "exit").then(() => {
      throw new Error(`the helper in the instance's network ended: ${errors.trim()}`);
    });
    ended.catch((error: Error) => {
      for (const settle of [...this.#pending.values()]) {
        settle(error, undefined);
      }
    });
    // Its first message says that it is inside.
    await Promise.race([once(child, "message"), ended]);
    child.on("message", (message, handle) => this.#receive(Reply.parse(message), handle));
    // The agent may end while helpers run; they end with it.
    child.unref();
    child.channel?.unref();
    if (child.stderr instanceof Socket) child.stderr.unref();
    return { key: entry.key, child };
  }

  #receive(reply: Reply, handle: unknown): void {
    if (reply.accepted === true) {
      const listening = [...this.#listening].find(({ request }) => request === reply.id);
      if (handle instanceof Socket) {
        if (listening === undefined) {
          handle.destroy();
        } else {
          listening.onStream(prepared(handle));
        }
      }
      return;
    }
    this.#pending.get(reply.id)?.(reply, handle);
  }
}

function isTaken(error: unknown): boolean {
  return messageOf(error).includes("EADDRINUSE");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function prepared(socket: Socket): Socket {
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  return socket;
}

async function stopHelper(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}
