import type { Event } from "cosmjs-types/tendermint/abci/types";
import { sha256 } from "../storage/sha256";

// An entry is kind | key | 0 | value | 0 | place: all entries of an attribute lie together, and so do those of a value.
const transactionKind = "t";
const blockKind = "b";
// LMDB's keys are short: a longer value is found by its hash, and only as a whole.
const longestValue = 400;

/** Index entries for the events of a transaction, by which searches find its place. */
export function transactionEntries(events: readonly Event[], place: Buffer): Buffer[] {
  return entries(transactionKind, events, place);
}

/** Index entries for the events of a block itself. */
export function blockEntries(events: readonly Event[], height: Buffer): Buffer[] {
  return entries(blockKind, events, height);
}

/** What the entries of an attribute begin with, of one value or of any. */
export function entryPrefix(kind: "transaction" | "block", key: string, value?: string): Buffer {
  const head = `${kind === "transaction" ? transactionKind : blockKind}${key}\0`;
  return Buffer.from(value === undefined ? head : `${head}${indexedValue(value)}\0`);
}

// PERF: some eight entries a transaction. Each is written once, into its own buffer.
function entries(kind: string, events: readonly Event[], place: Buffer): Buffer[] {
  const made: Buffer[] = [];
  for (const event of events) {
    for (const { key, value, index } of event.attributes) {
      if (!index) continue;
      const head = `${kind}${event.type}.${key}\0${indexedValue(value)}\0`;
      const length = Buffer.byteLength(head);
      const entry = Buffer.allocUnsafe(length + place.length);
      entry.write(head);
      place.copy(entry, length);
      made.push(entry);
    }
  }
  return made;
}

function indexedValue(value: string): string {
  if (Buffer.byteLength(value) <= longestValue && !value.includes("\0")) return value;
  return `sha256:${sha256(Buffer.from(value)).toString("hex")}`;
}
