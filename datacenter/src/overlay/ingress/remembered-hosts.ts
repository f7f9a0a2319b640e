import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Who had a host name last, and when the DNS last said so (milliseconds since 1970). */
const Holding = z.object({ connection: z.string(), provenAt: z.number() });
type Holding = z.infer<typeof Holding>;
const Holdings = z.record(z.string(), Holding);

/** Keeps over restarts who has which host name, so that it goes on at once and nobody else gets it meanwhile. */
export class RememberedHosts {
  readonly #file: string;
  #holdings: Map<string, Holding>;

  /** A file that can't be read is one that is not there: the DNS is asked anew. */
  constructor(home: string) {
    this.#file = join(home, "hosts.json");
    try {
      this.#holdings = new Map(Object.entries(Holdings.parse(JSON.parse(readFileSync(this.#file, "utf8")))));
    } catch {
      this.#holdings = new Map();
    }
  }

  get(host: string): Holding | undefined {
    return this.#holdings.get(host);
  }

  set(host: string, holding: Holding): void {
    this.#holdings.set(host, holding);
    this.#write();
  }

  remove(host: string): void {
    if (this.#holdings.delete(host)) this.#write();
  }

  #write(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(this.#holdings)), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}
