import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { RegistryCredentials } from "@dcx/protocol";
import { z } from "zod";
import { readJson } from "../home/json-file";
import { Digest, ImageConfigFile, ImageDocument, type ImageManifest, selectPlatform } from "./formats";
import { findInLayouts } from "./layout";
import { formatImageReference, parseImageReference } from "./reference";
import { findInRegistry } from "./registry";
import type { ImageSource } from "./source";
import { unpackLayer } from "./unpack";

/** An image on this machine's disk, unpacked and verified. */
export const UnpackedImage = z.object({
  /** Of its manifest for this platform. */
  digest: Digest,
  /** Folder with its files; other instances use it too: never write there. */
  rootfs: z.string(),
  entrypoint: z.array(z.string()),
  command: z.array(z.string()),
  environment: z.array(z.string()),
  user: z.string(),
  workingDirectory: z.string(),
});
export type UnpackedImage = z.infer<typeof UnpackedImage>;

export interface ImageStoreOptions {
  /** Folder of its own. */
  readonly home: string;
  /** OCI layouts, or folders of them, looked at before any registry. */
  readonly layouts: readonly string[];
  /** See `UnpackOptions`. */
  readonly ownerOffset?: number;
  /** Bytes an image may unpack to. Absent: 20 GiB. */
  readonly maximumSize?: number;
}

export interface ImageStore {
  /** Makes the image present. Rejects with a sentence that says why it can't be had. */
  pull(image: string, credentials?: RegistryCredentials): Promise<UnpackedImage>;
  /** The image as it was pulled last under this name; rejects when it was not. */
  get(image: string): Promise<UnpackedImage>;
  /**
   * Removes images that were not asked for since a time (milliseconds since 1970), but for those of these digests.
   * Resolves to the digests of those that it removed.
   */
  clean(keep: ReadonlySet<string>, since: number): Promise<readonly string[]>;
}

const configurationLimit = 8 * 1024 * 1024;

/** Images unpacked for runtimes that bring no image store of their own; kept by digest, over restarts. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const unpacked = join(options.home, "unpacked");
  const names = join(options.home, "names");
  await mkdir(unpacked, { recursive: true });
  await mkdir(names, { recursive: true });
  for (const left of await readdir(unpacked)) {
    if (left.startsWith(".")) {
      await rm(join(unpacked, left), { recursive: true, force: true });
    }
  }
  const underway = new Map<string, Promise<UnpackedImage>>();

  const nameFile = (image: string) =>
    join(
      names,
      createHash("sha256")
        .update(formatImageReference(parseImageReference(image)))
        .digest("hex"),
    );

  const pull = async (image: string, credentials: RegistryCredentials | undefined): Promise<UnpackedImage> => {
    const reference = parseImageReference(image);
    const source =
      (await findInLayouts(options.layouts, reference)) ??
      (await findInRegistry(reference, credentials).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        const looked = options.layouts.length === 0 ? "" : ` (nor is it in a layout in ${options.layouts.join(", ")})`;
        throw new Error(`image ${image} can't be had: ${reason}${looked}`, { cause: error });
      }));
    const { manifest, digest } = await readManifest(source, image);
    const key = digest.slice("sha256:".length);
    const running = underway.get(key) ?? unpack(source, manifest, digest, join(unpacked, key), options, image);
    underway.set(key, running);
    try {
      const result = await running;
      await replaceFile(nameFile(image), JSON.stringify({ name: image, digest }));
      await markUsed(join(unpacked, key));
      return result;
    } finally {
      underway.delete(key);
    }
  };

  const clean = async (keep: ReadonlySet<string>, since: number): Promise<readonly string[]> => {
    const removed: string[] = [];
    for (const key of await readdir(unpacked)) {
      const digest = `sha256:${key}`;
      if (key.startsWith(".") || keep.has(digest) || underway.has(key)) continue;
      const used = await stat(join(unpacked, key, "image.json")).catch(() => undefined);
      if (used !== undefined && used.mtimeMs >= since) continue;
      // Gone at once, so that nobody finds half of it.
      const going = join(unpacked, `.${randomBytes(8).toString("hex")}`);
      await rename(join(unpacked, key), going);
      await rm(going, { recursive: true, force: true });
      removed.push(digest);
    }
    for (const name of await readdir(names)) {
      const named = Named.safeParse(await readJson(join(names, name))).data;
      if (named !== undefined && removed.includes(named.digest)) await rm(join(names, name), { force: true });
    }
    return removed;
  };

  return {
    pull,
    clean,
    get: async (image) => {
      const named = await readJson(nameFile(image));
      if (named === undefined) {
        throw new Error(`image ${image} has not been pulled`);
      }
      const folder = join(unpacked, Named.parse(named).digest.slice("sha256:".length));
      await markUsed(folder);
      return UnpackedImage.parse(await readJson(join(folder, "image.json")));
    },
  };
}

const Named = z.object({ digest: Digest });

/** When an image was used last is its description's time of change. */
async function markUsed(folder: string): Promise<void> {
  const now = new Date();
  await utimes(join(folder, "image.json"), now, now).catch(() => undefined);
}

async function readManifest(source: ImageSource, image: string): Promise<{ manifest: ImageManifest; digest: string }> {
  let digest = source.digest;
  for (let depth = 0; depth < 3; depth++) {
    const bytes = await source.manifest(digest);
    verify(createHash("sha256").update(bytes).digest("hex"), digest, source);
    const document = ImageDocument.parse(JSON.parse(bytes.toString("utf8")));
    if (!("manifests" in document)) {
      return { manifest: document, digest };
    }
    digest = selectPlatform(document, image).digest;
  }
  throw new Error(`image ${image}: its index leads to indexes only`);
}

async function unpack(
  source: ImageSource,
  manifest: ImageManifest,
  digest: string,
  folder: string,
  options: ImageStoreOptions,
  image: string,
): Promise<UnpackedImage> {
  const present = UnpackedImage.safeParse(await readJson(join(folder, "image.json")));
  if (present.success) {
    return present.data;
  }
  const bytes = await readAll(await source.blob(manifest.config.digest));
  verify(createHash("sha256").update(bytes).digest("hex"), manifest.config.digest, source);
  const { config, rootfs } = ImageConfigFile.parse(JSON.parse(bytes.toString("utf8")));
  if (rootfs.diff_ids.length !== manifest.layers.length) {
    throw new Error(
      `image ${image}: its configuration names ${rootfs.diff_ids.length} layers, its manifest ${manifest.layers.length}`,
    );
  }
  const temporary = join(folder, "..", `.${randomBytes(8).toString("hex")}`);
  const root = join(temporary, "rootfs");
  try {
    await mkdir(root, { recursive: true, mode: 0o755 });
    let left = options.maximumSize ?? 20 * 1024 ** 3;
    for (const layer of manifest.layers) {
      const hash = createHash("sha256");
      let received = 0;
      const count = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          received += chunk.length;
          // Without this a layer could go on for ever after the end of its archive.
          done(
            received > layer.size
              ? new Error(`${source.name} sends more than the ${layer.size} bytes of a layer`)
              : null,
            chunk,
          );
        },
      });
      const plain = new PassThrough();
      const decoder = decoderFor(layer.mediaType);
      const blob = await source.blob(layer.digest);
      const fed = decoder === undefined ? pipeline(blob, count, plain) : pipeline(blob, count, decoder, plain);
      fed.catch((error: unknown) => plain.destroy(error instanceof Error ? error : new Error(String(error))));
      left -= await unpackLayer(root, plain, {
        maximumSize: left,
        ...(options.ownerOffset === undefined ? {} : { ownerOffset: options.ownerOffset }),
      });
      await fed;
      verify(hash.digest("hex"), layer.digest, source);
    }
    const result: UnpackedImage = {
      digest,
      rootfs: join(folder, "rootfs"),
      entrypoint: config.Entrypoint,
      command: config.Cmd,
      environment: config.Env,
      user: config.User,
      workingDirectory: config.WorkingDir === "" ? "/" : config.WorkingDir,
    };
    await writeFile(join(temporary, "image.json"), JSON.stringify(result));
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw new Error(`image ${image} can't be unpacked: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

function decoderFor(mediaType: string | undefined): Transform | undefined {
  if (mediaType === undefined || /[+.]gzip$/.test(mediaType)) {
    return createGunzip();
  }
  return mediaType.endsWith("+zstd") ? createZstdDecompress() : undefined;
}

function verify(found: string, expected: string, source: ImageSource): void {
  if (`sha256:${found}` !== expected) {
    throw new Error(`${source.name} handed over sha256:${found} where ${expected} was asked for`);
  }
}

async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (size > configurationLimit) {
      throw new Error(`an image configuration of more than ${configurationLimit} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
