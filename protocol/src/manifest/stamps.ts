import { bytesToHex, randomBytes } from "@noble/hashes/utils.js";
import type { Manifest, Stamp, Stamps } from "./types";

export type EntryKind = "workloads" | "connections";

/** The name of an entry among the stamps and in its digest: `workloads/<name>` or `connections/<name>`. */
export function entryKey(kind: EntryKind, name: string): string {
  return `${kind}/${name}`;
}

/** Names of all entries of a manifest, as in {@link entryKey}. */
export function entryKeys(manifest: Pick<Manifest, "workloads" | "connections">): string[] {
  return [
    ...Object.keys(manifest.workloads).map((name) => entryKey("workloads", name)),
    ...Object.keys(manifest.connections).map((name) => entryKey("connections", name)),
  ];
}

/** A stamp with a fresh nonce. @param owner `ownerStamp(K, URN)` */
export function newStamp(owner: string): Stamp {
  return { owner, nonce: bytesToHex(randomBytes(16)) };
}

/** Stamps after a change: sets some, and keeps only those of entries that the manifest still holds. */
export function patchStamps(stamps: Stamps, changes: Stamps, manifest: Manifest): Stamps {
  const all: Stamps = { ...stamps, ...changes };
  return Object.fromEntries(
    entryKeys(manifest).flatMap((key) => {
      const stamp = Object.hasOwn(all, key) ? all[key] : undefined;
      return stamp === undefined ? [] : [[key, stamp]];
    }),
  );
}

/** The stamp of an entry, if somebody owns it. */
export function stampOf(stamps: Stamps, kind: EntryKind, name: string): Stamp | undefined {
  const key = entryKey(kind, name);
  return Object.hasOwn(stamps, key) ? stamps[key] : undefined;
}
