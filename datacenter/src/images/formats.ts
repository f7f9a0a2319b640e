import { z } from "zod";

/** OCI image specification 1.1 and Docker's schema 2, as far as we read them. */

export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "expected a sha256 digest");

export const Descriptor = z.object({
  mediaType: z.string().optional(),
  digest: Digest,
  size: z.number().int().nonnegative(),
  platform: z.object({ architecture: z.string(), os: z.string(), variant: z.string().optional() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.infer<typeof Descriptor>;

export const ImageIndex = z.object({ manifests: z.array(Descriptor) });
export type ImageIndex = z.infer<typeof ImageIndex>;

export const ImageManifest = z.object({ config: Descriptor, layers: z.array(Descriptor).max(256) });
export type ImageManifest = z.infer<typeof ImageManifest>;

export const ImageDocument = z.union([ImageManifest, ImageIndex]);

const strings = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");

export const ImageConfigFile = z.object({
  rootfs: z.object({ diff_ids: z.array(Digest) }),
  config: z
    .object({ Entrypoint: strings, Cmd: strings, Env: strings, User: text, WorkingDir: text })
    .nullish()
    .transform((value) => value ?? { Entrypoint: [], Cmd: [], Env: [], User: "", WorkingDir: "" }),
});
export type ImageConfigFile = z.infer<typeof ImageConfigFile>;

export const referenceAnnotation = "org.opencontainers.image.ref.name";

/** The manifest of an index that runs on this machine. */
export function selectPlatform(index: ImageIndex, image: string): Descriptor {
  const architecture = { x64: "amd64", ia32: "386", arm: "arm" }[process.arch as string] ?? process.arch;
  const runnable = index.manifests.filter(
    ({ platform }) => platform === undefined || (platform.os === "linux" && platform.architecture === architecture),
  );
  const [found] = runnable;
  if (found === undefined) {
    const offered = index.manifests.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).join(", ");
    throw new Error(`image ${image} is not made for linux/${architecture} (it is for ${offered})`);
  }
  return found;
}
