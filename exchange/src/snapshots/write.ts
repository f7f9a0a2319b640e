import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCommitted } from "../storage/read-committed";
import { sha256 } from "../storage/sha256";
import { encodeChunks, metadataOf } from "./chunk";

/** Chunks are `0`, `1`, …; their hashes are in this file, which peers are told as it is. */
export const metadataFile = "metadata";

/**
 * Writes the state that is committed now to `folder`/<height>, as a whole or not at all.
 * PERF: O(state) bytes read and written; reads beside the node that goes on committing, so call it off its thread.
 * @returns the height, or `undefined` where there is no block yet
 */
export function writeSnapshot(databasePath: string, folder: string): bigint | undefined {
  return readCommitted(databasePath, (height, entries) => {
    const finished = join(folder, height.toString());
    const unfinished = `${finished}.new`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true, mode: 0o700 });
    const hashes: Uint8Array[] = [];
    for (const chunk of encodeChunks(entries)) {
      writeFileSync(join(unfinished, String(hashes.length)), chunk);
      hashes.push(sha256(chunk));
    }
    writeFileSync(join(unfinished, metadataFile), metadataOf(hashes));
    rmSync(finished, { recursive: true, force: true });
    renameSync(unfinished, finished);
    return height;
  });
}
