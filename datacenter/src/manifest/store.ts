import { createHash } from "node:crypto";
import { type ManifestEnvelope, ManifestUpload } from "@dcx/protocol";
import { z } from "zod";
import type { Home } from "../home/home";

/** Envelopes that one deployment may have here at a time; the oldest that nothing runs gives way. */
const maxHeld = 8;

/** Characters of manifests that are in memory at a time, those that are needed most lately: others lie on disk only. */
const maxRemembered = 16 * 2 ** 20;

const Stored = z.object({ order: z.number().int(), envelope: ManifestUpload });
type Stored = z.infer<typeof Stored>;

/** The manifests that the agent holds, by deployment (`<tenant>/<sequence>`) and version (hexadecimal). */
export interface ManifestStore {
  /**
   * Keeps an envelope; durable when it returns. One that is held already gets these stamps and counts as the newest.
   * Throws when the text's SHA-256 is not `version`.
   */
  put(deployment: string, version: string, envelope: ManifestEnvelope): void;
  get(deployment: string, version: string): ManifestEnvelope | undefined;
  has(deployment: string, version: string): boolean;
  /** Versions held, in the order in which they came. */
  versions(deployment: string): readonly string[];
  deployments(): readonly string[];
  /** Versions that must not give way to newer ones. */
  pin(deployment: string, versions: ReadonlySet<string>): void;
  /** Forgets what came before `version` and is not pinned: candidates that lost, versions that were replaced. */
  forgetBefore(deployment: string, version: string): void;
  forget(deployment: string): void;
  /** Called with the deployment whose manifests changed. Returns how to stop being called. */
  subscribe(listener: (deployment: string) => void): () => void;
}

/** A manifest store in the agent's folder, sealed there. design: "Changing it" (staged, then activated by the chain). */
export function openManifestStore(home: Pick<Home, "records" | "seal">): ManifestStore {
  /** In which order they came. */
  const held = new Map<string, Map<string, number>>();
  const remembered = new Remembered();
  const pinned = new Map<string, ReadonlySet<string>>();
  const listeners = new Set<(deployment: string) => void>();
  let lastOrder = 0;
  const read = (name: string): Stored | undefined => {
    const sealed = home.records.get(name);
    if (sealed === undefined) return undefined;
    return Stored.parse(JSON.parse(home.seal.open(name, sealed).toString("utf8")));
  };
  for (const name of home.records.names(prefix)) {
    const stored = read(name);
    if (stored === undefined) continue;
    const [deployment, version] = split(name);
    entriesOf(held, deployment).set(version, stored.order);
    lastOrder = Math.max(lastOrder, stored.order);
  }

  const ordered = (deployment: string): readonly string[] =>
    [...(held.get(deployment) ?? [])].sort(([, a], [, b]) => a - b).map(([version]) => version);
  const drop = (deployment: string, version: string): void => {
    home.records.remove(nameOf(deployment, version));
    remembered.forget(nameOf(deployment, version));
    const entries = held.get(deployment);
    entries?.delete(version);
    if (entries?.size === 0) held.delete(deployment);
  };
  const changed = (deployment: string): void => {
    for (const listener of listeners) listener(deployment);
  };

  return {
    put(deployment, version, envelope) {
      const actual = createHash("sha256").update(envelope.manifest, "utf8").digest("hex");
      if (actual !== version) {
        throw new Error(`the manifest's hash is ${actual}, not ${version}: it was changed on its way; send it again`);
      }
      lastOrder += 1;
      const stored: Stored = {
        order: lastOrder,
        envelope: { manifest: envelope.manifest, stamps: { ...envelope.stamps } },
      };
      const name = nameOf(deployment, version);
      home.records.put(name, home.seal.close(name, Buffer.from(JSON.stringify(stored))));
      entriesOf(held, deployment).set(version, lastOrder);
      remembered.put(name, stored.envelope);
      const loose = ordered(deployment).filter((each) => each !== version && !pinned.get(deployment)?.has(each));
      for (const old of loose.slice(0, Math.max(0, loose.length + 1 - maxHeld))) drop(deployment, old);
      changed(deployment);
    },
    get(deployment, version) {
      if (!held.get(deployment)?.has(version)) return undefined;
      const name = nameOf(deployment, version);
      const envelope = remembered.get(name) ?? read(name)?.envelope;
      if (envelope !== undefined) remembered.put(name, envelope);
      return envelope;
    },
    has: (deployment, version) => held.get(deployment)?.has(version) ?? false,
    versions: ordered,
    deployments: () => [...held.keys()],
    pin: (deployment, versions) => void pinned.set(deployment, versions),
    forgetBefore(deployment, version) {
      const order = held.get(deployment)?.get(version);
      if (order === undefined) return;
      for (const [each, came] of [...(held.get(deployment) ?? [])]) {
        if (came < order && !pinned.get(deployment)?.has(each)) drop(deployment, each);
      }
    },
    forget(deployment) {
      const had = held.has(deployment);
      for (const version of ordered(deployment)) drop(deployment, version);
      pinned.delete(deployment);
      if (had) changed(deployment);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const prefix = "manifest/";

function nameOf(deployment: string, version: string): string {
  return `${prefix}${deployment}/${version}`;
}

function split(name: string): [string, string] {
  const at = name.lastIndexOf("/");
  return [name.slice(prefix.length, at), name.slice(at + 1)];
}

function entriesOf(held: Map<string, Map<string, number>>, deployment: string): Map<string, number> {
  const entries = held.get(deployment) ?? new Map<string, number>();
  held.set(deployment, entries);
  return entries;
}

/** Envelopes in clear, so many that memory stays bounded whatever tenants stage. */
class Remembered {
  readonly #envelopes = new Map<string, ManifestEnvelope>();
  #size = 0;

  get(name: string): ManifestEnvelope | undefined {
    return this.#envelopes.get(name);
  }

  put(name: string, envelope: ManifestEnvelope): void {
    this.forget(name);
    this.#envelopes.set(name, envelope);
    this.#size += envelope.manifest.length;
    for (const each of this.#envelopes.keys()) {
      if (this.#size <= maxRemembered || each === name) return;
      this.forget(each);
    }
  }

  forget(name: string): void {
    this.#size -= this.#envelopes.get(name)?.manifest.length ?? 0;
    this.#envelopes.delete(name);
  }
}
