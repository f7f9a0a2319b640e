import { entryKey, type Manifest, type ManifestConnection, type ManifestWorkload, type Stamp } from "@dcx/protocol";
import type { Draft } from "../commit/change";

/** An entry of a manifest, with its kind. */
export type Entry =
  | { readonly kind: "workloads"; readonly name: string; readonly content: ManifestWorkload }
  | { readonly kind: "connections"; readonly name: string; readonly content: ManifestConnection };

/** The entries of a manifest by key, each as text in which equal entries are equal. */
export function entriesOf(manifest: Manifest): ReadonlyMap<string, string> {
  const text = (value: unknown): string => JSON.stringify(value, sortedKeys);
  return new Map([
    ...Object.entries(manifest.workloads).map(([name, entry]) => [entryKey("workloads", name), text(entry)] as const),
    ...Object.entries(manifest.connections).map(
      ([name, entry]) => [entryKey("connections", name), text(entry)] as const,
    ),
  ]);
}

/** The draft with this entry in it, under a stamp. */
export function withEntry(draft: Draft, entry: Entry, stamp: Stamp, isNew: boolean): Draft {
  const key = entryKey(entry.kind, entry.name);
  const there = hasEntry(draft.manifest, entry.kind, entry.name);
  const manifest: Manifest =
    entry.kind === "workloads"
      ? { ...draft.manifest, workloads: { ...draft.manifest.workloads, [entry.name]: entry.content } }
      : { ...draft.manifest, connections: { ...draft.manifest.connections, [entry.name]: entry.content } };
  return {
    manifest,
    stamps: { ...draft.stamps, [key]: stamp },
    // An entry that was among those that nobody had is seen again.
    unseen: there || isNew ? draft.unseen : Math.max(0, draft.unseen - 1),
  };
}

/** The draft without an entry; the same draft where it has none. */
export function withoutEntry(draft: Draft, kind: Entry["kind"], name: string): Draft {
  const key = entryKey(kind, name);
  if (!hasEntry(draft.manifest, kind, name)) {
    return draft.unseen === 0 ? draft : { ...draft, unseen: draft.unseen - 1 };
  }
  const { [key]: _stamp, ...stamps } = draft.stamps;
  const { [name]: _entry, ...left } = kind === "workloads" ? draft.manifest.workloads : draft.manifest.connections;
  return { ...draft, stamps, manifest: { ...draft.manifest, [kind]: left } };
}

function hasEntry(manifest: Manifest, kind: Entry["kind"], name: string): boolean {
  return Object.hasOwn(manifest[kind], name);
}

function sortedKeys(_key: string, value: unknown): unknown {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
}
