import { createHash, type Hash } from "node:crypto";
import type { Home } from "../home/home";

/** Bytes of a record: so much is in memory of a manifest that is on its way. Each one is a write to the disk. */
const recordBytes = 1024 * 1024;
const prefix = "part/";

/**
 * What has come so far of a manifest's text, sealed in the agent's folder: a transfer that broke off goes on there, also
 * after a restart. Nothing of it counts before its hash has been seen to be the version.
 */
export class PartialManifest {
  readonly #home: Pick<Home, "records" | "seal">;
  readonly #name: string;
  #records: number;
  #length = 0;
  #hash: Hash = createHash("sha256");
  #rest: Buffer[] = [];
  #restLength = 0;

  /** @param giver whose parts alone these are; absent: parts of any holder */
  constructor(home: Pick<Home, "records" | "seal">, deployment: string, version: string, giver = "") {
    this.#home = home;
    this.#name = `${prefix}${deployment}/${version}/${giver}/`;
    const names = home.records.names(this.#name);
    this.#records = names.length;
    try {
      for (const name of names) this.#count(this.#read(name));
    } catch {
      // What can't be opened was not written by this agent, or not to its end: it is fetched again.
      this.discard();
    }
  }

  /** Bytes that have come. */
  get length(): number {
    return this.#length;
  }

  /** SHA-256 of that, in hexadecimal: the version once all of it is here. */
  get digest(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Adds what follows. It is durable once enough of it has come, or after `flush`. */
  append(bytes: Uint8Array): void {
    this.#rest.push(Buffer.from(bytes));
    this.#restLength += bytes.length;
    this.#count(bytes);
    if (this.#restLength >= recordBytes) this.flush();
  }

  flush(): void {
    if (this.#restLength === 0) return;
    const name = this.#name + String(this.#records).padStart(6, "0");
    this.#home.records.put(name, this.#home.seal.close(name, Buffer.concat(this.#rest)));
    this.#records += 1;
    this.#rest = [];
    this.#restLength = 0;
  }

  /** All that has come. */
  bytes(): Buffer {
    return Buffer.concat([...this.#home.records.names(this.#name).map((name) => this.#read(name)), ...this.#rest]);
  }

  discard(): void {
    for (const name of this.#home.records.names(this.#name)) this.#home.records.remove(name);
    this.#records = 0;
    this.#length = 0;
    this.#hash = createHash("sha256");
    this.#rest = [];
    this.#restLength = 0;
  }

  #count(bytes: Uint8Array): void {
    this.#length += bytes.length;
    this.#hash.update(bytes);
  }

  #read(name: string): Buffer {
    return this.#home.seal.open(name, this.#home.records.get(name) ?? Buffer.alloc(0));
  }
}

/** Forgets the parts of all that is not wanted any more. @param wanted deployment and version, joined by a slash */
export function discardOtherParts(home: Pick<Home, "records">, wanted: { has(name: string): boolean }): void {
  for (const name of home.records.names(prefix)) {
    const [tenant, sequence, version] = name.slice(prefix.length).split("/");
    if (!wanted.has(`${tenant}/${sequence}/${version}`)) home.records.remove(name);
  }
}
