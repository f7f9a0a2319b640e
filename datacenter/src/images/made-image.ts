import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { referenceAnnotation } from "./formats";

/** For tests: images made in memory, honest or not. */

/** One entry of a layer; a text is a file's content. */
export type LayerEntry = Partial<Header> & { readonly name: string; readonly content?: string };

export interface MadeImage {
  /** Of the manifest. */
  readonly digest: string;
  readonly layers: readonly string[];
  /** All parts by digest, the manifest too. */
  readonly blobs: Map<string, Buffer>;
}

/** An uncompressed tar. */
export async function makeLayer(entries: readonly LayerEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) {
    archive.entry(header, content ?? "");
  }
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive as AsyncIterable<Buffer>) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** An image of these layers; `tars` may be anything. */
export function makeImage(tars: readonly Buffer[], config: object = { Cmd: ["/run"] }): MadeImage {
  const blobs = new Map<string, Buffer>();
  const keep = (bytes: Buffer) => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const layers = tars.map((tar) => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    ...keep(gzipSync(tar)),
  }));
  const rootfs = { type: "layers", diff_ids: tars.map(digestOf) };
  const configuration = keep(Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", config, rootfs })));
  const manifest = keep(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: { mediaType: "application/vnd.oci.image.config.v1+json", ...configuration },
        layers,
      }),
    ),
  );
  return { digest: manifest.digest, layers: layers.map(({ digest }) => digest), blobs };
}

/** Writes an OCI layout that has the image under this complete name. */
export function writeLayout(folder: string, name: string, image: MadeImage): void {
  mkdirSync(join(folder, "blobs", "sha256"), { recursive: true });
  for (const [digest, bytes] of image.blobs) {
    writeFileSync(join(folder, "blobs", ...digest.split(":")), bytes);
  }
  const size = image.blobs.get(image.digest)?.length ?? 0;
  const manifests = [{ digest: image.digest, size, annotations: { [referenceAnnotation]: name } }];
  writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
