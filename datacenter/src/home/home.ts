import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { createSeal, type Seal } from "./seal";

/** What the agent keeps on disk: a small lmdb environment and the key that seals what is secret in it. */
export interface Home {
  readonly path: string;
  readonly seal: Seal;
  readonly records: Records;
  close(): Promise<void>;
}

/** Durable records by name. A write has reached the disk when it returns. */
export interface Records {
  get(name: string): Buffer | undefined;
  put(name: string, value: Uint8Array): void;
  remove(name: string): void;
  /** Names with this prefix, in order. */
  names(prefix: string): readonly string[];
}

/**
 * Opens the agent's folder, creating what is missing with mode 700 and 600.
 * Throws when the folder can't be used, or another agent has it open in a way that lmdb refuses.
 */
export function openHome(path: string): Home {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  const seal = openSeal(path);
  const database: RootDatabase<Buffer, string> = open({
    path: join(path, "state"),
    encoding: "binary",
    keyEncoding: "ordered-binary",
    maxReaders: 16,
  });
  const records: Records = {
    get: (name) => database.get(name),
    put: (name, value) => database.putSync(name, Buffer.from(value)),
    remove: (name) => void database.removeSync(name),
    names: (prefix) => [...database.getKeys({ start: prefix, end: `${prefix}\uffff` })],
  };
  return { path, seal, records, close: () => database.close() };
}

/** The seal by the key in a folder, which is made where there is none. */
export function openSeal(folder: string): Seal {
  return createSeal(readOrCreateKey(join(folder, "seal.key")));
}

function readOrCreateKey(file: string): Buffer {
  try {
    const descriptor = openSync(file, "wx", 0o600);
    try {
      const key = randomBytes(32);
      writeSync(descriptor, key);
      fsyncSync(descriptor);
      return key;
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    const key = readFileSync(file);
    if (key.length !== 32)
      throw new Error(`${file} must hold 32 bytes but holds ${key.length}; restore it from a copy`);
    return key;
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
