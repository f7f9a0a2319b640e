import { randomBytes } from "node:crypto";
import { buildManifest, entryKeys, type Manifest, type Stamp, type Stamps } from "@dcx/protocol";
import type { Envelope } from "../../network/snapshot";
import { sealManifest } from "../../plan/manifest";
import type { ValueMap } from "../../wire/value";
import { plainEntries } from "../inputs/manifest-entries";

export interface SealedManifest {
  readonly envelope: Envelope;
  readonly content: Manifest;
}

/** At the end of a nonce: its entry was declared inline. So an import of a single entry knows. */
export const INLINE = ".inline";

/** Whether a deployment declares its workloads and connections itself. Unset leaves entries alone. */
export function isInline(inputs: ValueMap): boolean {
  return inputs["workloads"] !== undefined || inputs["connections"] !== undefined;
}

/**
 * The manifest that an inline deployment declares.
 * @param inputs normal and without unknowns
 * @throws {ManifestError}
 */
export function inlineManifest(inputs: ValueMap, salt: string, owner: string): SealedManifest {
  const content = buildManifest({
    salt,
    workloads: plainEntries(inputs["workloads"]),
    connections: plainEntries(inputs["connections"]),
  });
  const stamp: Stamp = { owner, nonce: `${randomBytes(16).toString("hex")}${INLINE}` };
  const stamps: Stamps = Object.fromEntries(entryKeys(content).map((key) => [key, stamp]));
  return { content, envelope: sealManifest(content, stamps) };
}
