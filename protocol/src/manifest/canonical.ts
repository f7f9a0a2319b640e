import { hmac } from "@noble/hashes/hmac.js";
import { sha256 as sha256Hash } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import { sha256 } from "js-sha256";
import { frame } from "../identifiers/frame";
import { workloadIssues } from "./check";
import { compactConnection, compactWorkload } from "./compact";
import { ManifestError, type ManifestIssue } from "./error";
import { present, readEntries } from "./normalize";
import { type Parsed, parseWith } from "./parse";
import { MAX_ENTRIES, MAX_MANIFEST_BYTES } from "./rules";
import { manifestFrameSchema, normalizedSchemas } from "./schema";
import type { Manifest, ManifestConnection, ManifestWorkload } from "./types";

/**
 * The one text of a manifest: JSON as RFC 8785 puts it. Its SHA-256 is the deployment's version.
 * @throws {ManifestError} where it is longer than any datacenter accepts
 */
export function canonicalManifest(manifest: Manifest): string {
  const text = canonicalText(manifest);
  checkLength(text);
  return text;
}

/** The version of a deployment: SHA-256 over the UTF-8 bytes of the canonical text. 32 bytes. */
export function manifestVersion(text: string): Uint8Array {
  return Uint8Array.from(sha256.array(text));
}

/** Number of workloads and connections, as the chain counts them. */
export function entryCount(manifest: Manifest): number {
  return Object.keys(manifest.workloads).length + Object.keys(manifest.connections).length;
}

/**
 * Names one entry's content without showing it: HMAC(salt, kind and name, canonical entry), in hexadecimal.
 * @param salt the manifest's, in hexadecimal
 * @param name `workloads/<name>` or `connections/<name>`
 */
export function entryDigest(salt: string, name: string, entry: ManifestWorkload | ManifestConnection): string {
  const content = frame("dcx manifest entry v1", name, canonicalText(entry));
  return bytesToHex(hmac(sha256Hash, hexToBytes(salt), content));
}

/**
 * Reads a manifest that somebody handed over: strictly, and only in its canonical text. Entries may name others that
 * are not there: a manifest can be incomplete (see `checkManifest` for whoever makes one).
 * @throws {ManifestError} with everything that is wrong; nothing of the content is in it but names
 */
export function parseManifest(text: string): Manifest {
  checkLength(text);
  const frameParsed = parseWith(manifestFrameSchema(), parseJson(text), "");
  if ("issues" in frameParsed) {
    throw new ManifestError(frameParsed.issues);
  }
  const { schema, salt, workloads, connections } = frameParsed.value;
  const issues: ManifestIssue[] = [];
  const manifest: Manifest = {
    schema,
    salt,
    workloads: present(readEntries("workloads", workloads, readWorkload, issues)),
    connections: present(readEntries("connections", connections, readConnection, issues)),
  };
  if (entryCount(manifest) > MAX_ENTRIES) {
    issues.push({ path: "", message: `there are more than ${MAX_ENTRIES} workloads and connections` });
  }
  if (issues.length === 0 && canonicalManifest(manifest) !== text) {
    issues.push({ path: "", message: "the manifest is not in canonical form (RFC 8785, nothing absent or default)" });
  }
  if (issues.length > 0) {
    throw new ManifestError(issues);
  }
  return manifest;
}

function readWorkload(input: unknown, path: string): Parsed<ManifestWorkload> {
  const parsed = parseWith(normalizedSchemas().workload, input, path);
  if ("issues" in parsed) {
    return parsed;
  }
  const value = compactWorkload(parsed.value);
  const issues = workloadIssues(path, value);
  return issues.length === 0 ? { value } : { issues };
}

function readConnection(input: unknown, path: string): Parsed<ManifestConnection> {
  const parsed = parseWith(normalizedSchemas().connection, input, path);
  return "issues" in parsed ? parsed : { value: compactConnection(parsed.value) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message quotes the text, which holds secrets.
    throw refuse("the manifest is not JSON");
  }
}

function checkLength(text: string): void {
  // A code unit is at most three bytes: most texts need not be encoded to know.
  if (text.length * 3 > MAX_MANIFEST_BYTES && new TextEncoder().encode(text).length > MAX_MANIFEST_BYTES) {
    throw refuse(`the manifest is longer than ${MAX_MANIFEST_BYTES} bytes`);
  }
}

function refuse(message: string): ManifestError {
  return new ManifestError([{ path: "", message }]);
}

function canonicalText(value: object): string {
  const text = canonicalize(value);
  if (text === undefined) {
    throw new TypeError("only an object has a canonical form");
  }
  return text;
}
