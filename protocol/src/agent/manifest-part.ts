import { MAX_MANIFEST_BYTES } from "../manifest/rules";

/** Most bytes of a manifest's text that one answer carries: what was fetched of it stays where the next one fails. */
export const MAX_MANIFEST_PART_BYTES = 1024 * 1024;

/** Some of a manifest's text, as UTF-8. */
export interface ManifestPart {
  /** Bytes that the whole text has, by the word of the holder that gave the part. */
  readonly total: number;
  /** What follows from the byte on that was asked for. Throws when it breaks off, or is more than was announced. */
  readonly content: AsyncIterable<Uint8Array>;
}

const contentRange = /^bytes (\d{1,10})-(\d{1,10})\/(\d{1,10})$/;

/** The part that an answer carries, or what is wrong with it. */
export function partOf(
  header: string | string[] | undefined,
  from: number,
  body: AsyncIterable<Uint8Array>,
): ManifestPart | string {
  const [, first, last, total] = (typeof header === "string" ? contentRange.exec(header) : null)?.map(Number) ?? [];
  if (first === undefined || last === undefined || total === undefined) return "it does not say which part it gives";
  if (first !== from) return `the part begins at byte ${first}, not at ${from}`;
  if (last < first || last >= total) return `bytes ${first} to ${last} are no part of ${total}`;
  if (total > MAX_MANIFEST_BYTES)
    return `a manifest of ${total} bytes, of which at most ${MAX_MANIFEST_BYTES} are read`;
  return { total, content: exactly(last - first + 1, body) };
}

async function* exactly(length: number, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let left = length;
  for await (const chunk of body) {
    left -= chunk.length;
    if (left < 0) throw new Error(`more than the ${length} bytes that were announced`);
    yield chunk;
  }
  if (left > 0) throw new Error(`${left} of ${length} bytes are missing`);
}
