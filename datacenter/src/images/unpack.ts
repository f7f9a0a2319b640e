import {
  chmodSync,
  createWriteStream,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { resolveInRoot } from "./root";

export interface UnpackOptions {
  /** What is added to each owner's id. Absent: owners are left to be whoever unpacks. */
  readonly ownerOffset?: number;
  /** Bytes that all layers together may take. */
  readonly maximumSize: number;
}

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";
const maximumEntries = 1_000_000;

/**
 * Applies a layer (an uncompressed tar) to `root`, as the OCI image specification says: whiteouts, opaque folders,
 * hard links. Nothing is ever written outside `root`, whatever names and links the layer holds. Device files and
 * pipes are left out; bits that change the user are not kept. Returns the bytes written.
 *
 * PERF: grows with the number of entries and their bytes.
 */
export async function unpackLayer(root: string, layer: Readable, options: UnpackOptions): Promise<number> {
  const created = new Set<string>();
  let size = 0;
  let entries = 0;
  const archive = extract();
  // pipeline reports what breaks the layer's stream to the loop below, by destroying the archive.
  const fed = pipeline(layer, archive);
  fed.catch(() => undefined);
  for await (const entry of archive) {
    entries += 1;
    size += entry.header.size;
    if (entries > maximumEntries || size > options.maximumSize) {
      throw new Error(`the image unpacks to more than ${options.maximumSize} bytes or ${maximumEntries} files`);
    }
    await applyEntry(root, entry.header, entry, created, options);
    entry.resume();
  }
  await fed;
  return size;
}

async function applyEntry(
  root: string,
  header: Header,
  contents: AsyncIterable<unknown>,
  created: Set<string>,
  options: UnpackOptions,
): Promise<void> {
  const name = normalize(header.name);
  if (name === "") {
    return;
  }
  const parent = ensureFolder(root, dirname(name));
  const base = basename(name);
  if (base === opaque) {
    for (const child of readdirSync(parent)) {
      if (!created.has(join(parent, child))) {
        rmSync(join(parent, child), { recursive: true, force: true });
      }
    }
    return;
  }
  if (base.startsWith(whiteout)) {
    rmSync(inside(parent, base.slice(whiteout.length)), { recursive: true, force: true });
    return;
  }
  const path = inside(parent, base);
  const existing = lstatSync(path, { throwIfNoEntry: false });
  const type = header.type;
  if (existing !== undefined && !(type === "directory" && existing.isDirectory())) {
    rmSync(path, { recursive: true, force: true });
  }
  switch (type) {
    case "directory":
      mkdirSync(path, { recursive: true });
      break;
    case "file":
    case "contiguous-file":
      await pipeline(contents, createWriteStream(path, { flags: "wx" }));
      break;
    case "symlink":
      symlinkSync(header.linkname ?? "", path);
      break;
    case "link":
      linkSync(resolveInRoot(root, normalize(header.linkname ?? ""), "keep"), path);
      created.add(path);
      return;
    default:
      return;
  }
  created.add(path);
  if (options.ownerOffset !== undefined) {
    lchownSync(path, (header.uid ?? 0) + options.ownerOffset, (header.gid ?? 0) + options.ownerOffset);
  }
  if (type !== "symlink") {
    const mode = (header.mode ?? 0o755) & 0o1777;
    // Whoever unpacks without privileges has to be able to read, to go on, and to remove it all again.
    chmodSync(path, options.ownerOffset !== undefined ? mode : mode | (type === "directory" ? 0o700 : 0o600));
  }
}

/** The folder as it lies on the host, made where it is missing. Links on the way lead nowhere outside. */
function ensureFolder(root: string, folder: string): string {
  const path = resolveInRoot(root, folder, "follow");
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing !== undefined && !existing.isDirectory()) {
    throw new Error(`the image puts a file into ${folder}, which is none of its folders`);
  }
  if (existing === undefined) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }
  return path;
}

function inside(parent: string, name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw new Error(`the image holds a file with the name "${name}"`);
  }
  return join(parent, name);
}

/** Without a leading slash and without `..`, which no honest layer holds. */
function normalize(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0")) {
    throw new Error(`the image holds a file outside itself: "${name}"`);
  }
  return parts.join("/");
}
