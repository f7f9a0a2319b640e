import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const port = z.number().int();
const Ports = z.object({
  tunnels: port.optional(),
  /** Of TLS and plain HTTP at host names. */
  names: port.optional(),
  redirect: port.optional(),
  ingress: z.record(z.string(), port),
});
type Ports = z.infer<typeof Ports>;
type SharedListener = "tunnels" | "names" | "redirect";

/** Connections that are gone keep their ports this long, so that they have them again should they come back. */
const mostRemembered = 10_000;

/** Remembers which ports were used for what, over restarts: an address is an output that must not change. */
export class RememberedPorts {
  readonly #file: string;
  #ports: Ports;

  /** A file that can't be read is one that is not there: ports are chosen anew. */
  constructor(home: string) {
    this.#file = join(home, "ports.json");
    try {
      this.#ports = Ports.parse(JSON.parse(readFileSync(this.#file, "utf8")));
    } catch {
      this.#ports = { ingress: {} };
    }
  }

  /** Of a listener that all connections share. */
  shared(listener: SharedListener): number | undefined {
    return this.#ports[listener];
  }

  ingress(connection: string): number | undefined {
    return this.#ports.ingress[connection];
  }

  /** Whether some connection has had this port. */
  isTaken(port: number): boolean {
    return Object.values(this.#ports.ingress).includes(port);
  }

  setShared(listener: SharedListener, port: number): void {
    this.#write({ ...this.#ports, [listener]: port });
  }

  setIngress(connection: string, port: number): void {
    if (this.#ports.ingress[connection] === port) {
      return;
    }
    const { [connection]: _, ...others } = this.#ports.ingress;
    const ingress = Object.fromEntries([...Object.entries(others).slice(-mostRemembered), [connection, port]]);
    this.#write({ ...this.#ports, ingress });
  }

  #write(ports: Ports): void {
    this.#ports = ports;
    writeFileSync(`${this.#file}.new`, JSON.stringify(ports), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}
