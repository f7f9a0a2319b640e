import { createHash } from "node:crypto";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RegistryCredentials } from "@dcx/protocol";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { z } from "zod";
import { ImageDocument, type ImageManifest, selectPlatform } from "../../images/formats";
import { findInLayouts } from "../../images/layout";
import { formatImageReference, parseImageReference } from "../../images/reference";
import type { ImageSource } from "../../images/source";

/** An image as the engine knows it. */
export interface EngineImage {
  /** What a container is created from. */
  readonly name: string;
  readonly digest: string;
  /** As the image's configuration has it: `user[:group]`, names or numbers, or nothing. */
  readonly user: string;
  /** Folders that it wants written to outside of its root. */
  readonly volumes: readonly string[];
}

/** Names under which images from layouts are kept in the engine; no registry has this host. */
const localName = (digest: string) => `dcx.local/layout:${digest.slice("sha256:".length)}`;

/** Makes an image present in the engine: from a layout on disk, else from its registry. */
export async function pullIntoEngine(
  engine: Docker,
  layouts: readonly string[],
  image: string,
  credentials: RegistryCredentials | undefined,
): Promise<EngineImage> {
  const source = await findInLayouts(layouts, parseImageReference(image));
  if (source !== undefined) {
    const { manifest, digest } = await manifestOf(source, image);
    const present = await engine
      .getImage(localName(digest))
      .inspect()
      .catch(() => undefined);
    if (present === undefined) {
      await load(engine, source, manifest, localName(digest));
    }
    return presentInEngine(engine, layouts, image);
  }
  const name = formatImageReference(parseImageReference(image));
  try {
    const authconfig = credentials === undefined ? {} : { authconfig: { ...credentials, serveraddress: "" } };
    await follow(engine, await engine.pull(name, authconfig), "the engine could not pull it");
  } catch (error) {
    throw new Error(`image ${image} can't be had: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  return presentInEngine(engine, layouts, image);
}

/** The image as it was made present before. Rejects when it was not. */
export async function presentInEngine(engine: Docker, layouts: readonly string[], image: string): Promise<EngineImage> {
  const source = await findInLayouts(layouts, parseImageReference(image));
  const name =
    source === undefined
      ? formatImageReference(parseImageReference(image))
      : localName((await manifestOf(source, image)).digest);
  const found = await engine
    .getImage(name)
    .inspect()
    .catch(() => undefined);
  if (found === undefined) {
    throw new Error(`image ${image} has not been pulled`);
  }
  const ofRepository = found.RepoDigests?.map((text) => text.slice(text.indexOf("@") + 1)) ?? [];
  const digest =
    source === undefined ? (ofRepository[0] ?? found.Id) : `sha256:${name.slice(name.lastIndexOf(":") + 1)}`;
  const volumes = Object.keys(found.Config.Volumes ?? {});
  return { name, digest, user: found.Config.User, volumes };
}

async function manifestOf(source: ImageSource, image: string): Promise<{ manifest: ImageManifest; digest: string }> {
  let digest = source.digest;
  for (let depth = 0; depth < 3; depth++) {
    const bytes = await source.manifest(digest);
    verify(bytes, digest, source);
    const document = ImageDocument.parse(JSON.parse(bytes.toString("utf8")));
    if (!("manifests" in document)) {
      return { manifest: document, digest };
    }
    digest = selectPlatform(document, image).digest;
  }
  throw new Error(`image ${image}: its index leads to indexes only`);
}

/**
 * Hands an image over as `docker save` would have written it: engines before Docker 25 load nothing else. The engine
 * checks each layer against the configuration's diff ids; the configuration is checked here.
 */
async function load(engine: Docker, source: ImageSource, manifest: ImageManifest, name: string): Promise<void> {
  const config = await readAll(await source.blob(manifest.config.digest));
  verify(config, manifest.config.digest, source);
  const hex = (digest: string) => digest.slice("sha256:".length);
  const archive = pack();
  const written = (async () => {
    archive.entry({ name: `${hex(manifest.config.digest)}.json` }, config);
    for (const digest of new Set(manifest.layers.map((layer) => layer.digest))) {
      const size = manifest.layers.find((layer) => layer.digest === digest)?.size ?? 0;
      const entry = archive.entry({ name: `${hex(digest)}.tar`, size });
      await pipeline(await source.blob(digest), entry);
    }
    const index = [
      {
        Config: `${hex(manifest.config.digest)}.json`,
        RepoTags: [name],
        Layers: manifest.layers.map(({ digest }) => `${hex(digest)}.tar`),
      },
    ];
    archive.entry({ name: "manifest.json" }, JSON.stringify(index));
    archive.finalize();
  })();
  written.catch((error: Error) => archive.destroy(error));
  const body = new PassThrough();
  const sent = pipeline(archive, body);
  sent.catch(() => undefined);
  const stream: NodeJS.ReadableStream = await engine.loadImage(body, {});
  await sent;
  await written;
  await follow(engine, stream, `image ${name} can't be loaded`);
}

const Progress = z.object({ error: z.string().optional() });

/** The engine answers 200 and says in its last line that it failed. */
async function follow(engine: Docker, stream: NodeJS.ReadableStream, what: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onProgress = (event: unknown) => {
      const parsed = Progress.safeParse(event);
      if (parsed.success && parsed.data.error !== undefined) {
        reject(new Error(`${what}: ${parsed.data.error}`));
      }
    };
    engine.modem.followProgress(
      stream,
      (error: Error | null) => (error === null ? resolve() : reject(new Error(`${what}: ${error.message}`))),
      onProgress,
    );
  });
}

function verify(bytes: Buffer, expected: string, source: ImageSource): void {
  const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (found !== expected) {
    throw new Error(`${source.name} handed over ${found} where ${expected} was asked for`);
  }
}

async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}
