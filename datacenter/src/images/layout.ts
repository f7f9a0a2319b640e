import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ImageIndex, referenceAnnotation } from "./formats";
import { formatImageReference, type ImageReference, parseImageReference } from "./reference";
import type { ImageSource } from "./source";

/**
 * Looks an image up in OCI layouts on disk. `folders` are layouts, or folders of layouts; those that are missing are
 * skipped: they may come later. By tag the annotation `org.opencontainers.image.ref.name` has to be the whole name;
 * by digest any layout that has it will do. Resolves to undefined when none has it.
 */
export async function findInLayouts(
  folders: readonly string[],
  reference: ImageReference,
): Promise<ImageSource | undefined> {
  const { digest: _, ...named } = reference;
  const wanted = formatImageReference(named);
  for (const layout of await layoutsIn(folders)) {
    const index = ImageIndex.parse(JSON.parse(await readFile(join(layout, "index.json"), "utf8")));
    const found = index.manifests.find(({ digest, annotations }) =>
      reference.digest === undefined
        ? completeName(annotations?.[referenceAnnotation]) === wanted
        : digest === reference.digest,
    );
    if (found !== undefined) {
      return layoutSource(layout, found.digest);
    }
  }
  return undefined;
}

function layoutSource(layout: string, digest: string): ImageSource {
  const blob = (wanted: string) => join(layout, "blobs", ...wanted.split(":"));
  return {
    name: layout,
    digest,
    manifest: (wanted) => readFile(blob(wanted)),
    blob: async (wanted) => createReadStream(blob(wanted)),
  };
}

function completeName(annotation: string | undefined): string | undefined {
  try {
    return annotation === undefined ? undefined : formatImageReference(parseImageReference(annotation));
  } catch {
    return undefined;
  }
}

async function layoutsIn(folders: readonly string[]): Promise<string[]> {
  const layouts: string[] = [];
  for (const folder of folders) {
    if (await isLayout(folder)) {
      layouts.push(folder);
      continue;
    }
    for (const name of (await readdir(folder).catch(() => [])).sort()) {
      if (await isLayout(join(folder, name))) {
        layouts.push(join(folder, name));
      }
    }
  }
  return layouts;
}

async function isLayout(folder: string): Promise<boolean> {
  return stat(join(folder, "index.json")).then(
    (entry) => entry.isFile(),
    () => false,
  );
}
