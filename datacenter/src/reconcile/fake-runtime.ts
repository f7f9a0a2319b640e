import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import type { InstanceSpecification, ObservedInstance, ObservedState, Runtime } from "../runtime/runtime";

/** A runtime for specifications of this folder: it keeps instances in a list and does what it is told. */
export class FakeRuntime implements Runtime {
  readonly isolation = "container";
  readonly unenforced = [];
  readonly instances = new Map<string, ObservedInstance>();
  readonly removedVolumes: string[] = [];
  /** Everything that was asked, in order: "pull <image>", "start <id>", "remove <id>". */
  readonly calls: string[] = [];
  /** Images that can't be had, with the reason. */
  readonly missingImages = new Map<string, string>();
  /** Ports that are served, by instance, for `dial`. */
  readonly ports = new Map<string, number>();
  /** How often removing fails before it succeeds. */
  stuck = 0;
  /** How long ago instances say that they started, in ms. */
  age = 60_000;
  readonly #listeners = new Set<() => void>();
  #runs = 0;

  async list(): Promise<readonly ObservedInstance[]> {
    return [...this.instances.values()];
  }

  async pull(image: string): Promise<string> {
    this.calls.push(`pull ${image}`);
    const reason = this.missingImages.get(image);
    if (reason !== undefined) throw new Error(reason);
    return `sha256:${image}`;
  }

  async start({ id, labels, digest }: InstanceSpecification): Promise<void> {
    this.calls.push(`start ${id}`);
    if (this.instances.has(id)) throw new Error(`${id} is there already`);
    this.#runs += 1;
    this.instances.set(id, { id, labels, digest, state: this.running(), containerId: `run-${this.#runs}` });
    this.changed();
  }

  async remove(id: string): Promise<void> {
    this.calls.push(`remove ${id}`);
    if (this.stuck > 0) {
      this.stuck -= 1;
      throw new Error(`${id} can't be removed now`);
    }
    this.instances.delete(id);
    this.changed();
  }

  async removeVolume(volume: string): Promise<void> {
    this.removedVolumes.push(volume);
  }

  async *logs(): AsyncIterable<never> {}

  async execute(): Promise<number> {
    return 0;
  }

  open(): Promise<never> {
    return Promise.reject(new Error("the fake runs no commands"));
  }

  async network(id: string) {
    return {
      listen: () => Promise.reject(new Error("the fake has no network")),
      dial: (): Promise<Duplex> => dial(this.ports.get(id)),
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {}

  /** Something happened to an instance by itself. */
  become(id: string, state: ObservedState): void {
    const known = this.instances.get(id);
    if (known === undefined) throw new Error(`${id} is not there`);
    this.instances.set(id, { ...known, state });
    this.changed();
  }

  running(): ObservedState {
    return { phase: "running", startedAt: new Date(Date.now() - this.age).toISOString(), restarts: 0 };
  }

  private changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function dial(port: number | undefined): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    if (port === undefined) return reject(new Error("nothing accepts there"));
    const socket = connect(port, "127.0.0.1", () => resolve(socket)).once("error", reject);
  });
}

/** An HTTP server that answers with the status that `status` says. Returns its port and how to close it. */
export async function serveStatus(status: () => number): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((_request, response) => response.writeHead(status()).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
