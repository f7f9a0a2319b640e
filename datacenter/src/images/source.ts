import type { Readable } from "node:stream";

/** Where the parts of one image come from. Nothing that it hands over is verified yet. */
export interface ImageSource {
  /** For messages. */
  readonly name: string;
  /** Digest of the manifest or index that the reference names. */
  readonly digest: string;
  /** The bytes of a manifest or index. */
  manifest(digest: string): Promise<Buffer>;
  /** The bytes of a configuration or layer. */
  blob(digest: string): Promise<Readable>;
}
