import { readRecorded, recordedWorld, replay } from "./recorded-history";
import { SignedChain } from "./signed-chain";

/**
 * A program of its own, bundled, for any Node: replays a recorded history in an empty folder, and prints the version that
 * it runs on and the app hash after each block as JSON.
 */
const [, , history, folder] = process.argv;
if (history === undefined || folder === undefined) throw new Error("usage: replay-recorded <history.json> <folder>");
const chain = new SignedChain(folder, recordedWorld);
const appHashes = replay(chain, readRecorded(history));
void chain.application.close().then(() => {
  process.stdout.write(JSON.stringify({ version: process.version, appHashes }));
});
