import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDistributed } from "../distributed/engine-home";
import { checkInvariants } from "../state/invariants";
import { StateDatabase } from "../storage";
import { BlockStore } from "./block-store";
import { lockHome } from "./home-lock";

/**
 * Looks at the folder of a node that is stopped, and changes nothing: every invariant of the state, the app hash worked
 * out again from the state's entries, and whether the blocks that are kept lead to it. Of a node under CometBFT, which has the
 * blocks, the state alone.
 * @returns a sentence for each thing that is wrong
 * @throws when a node is running on the folder, or there is none in it
 */
export async function checkHome(home: string): Promise<string[]> {
  const hasBlocks = existsSync(join(home, "blocks"));
  if (!existsSync(join(home, "state")) || (!hasBlocks && !isDistributed(home)))
    throw new Error(`${home} holds no node's state: name the folder that the node was started with as --home`);
  const lock = await lockHome(home);
  try {
    const database = new StateDatabase({ path: join(home, "state"), readOnly: true });
    try {
      const problems = [...database.treeProblems(), ...checkInvariants(database)];
      return hasBlocks ? [...problems, ...(await problemsOfBlocks(home, database))] : problems;
    } finally {
      await database.close();
    }
  } finally {
    await lock.release();
  }
}

async function problemsOfBlocks(home: string, database: StateDatabase): Promise<string[]> {
  const store = new BlockStore(join(home, "blocks"), 0n, true);
  try {
    return blockProblems(database, store);
  } finally {
    await store.close();
  }
}

function blockProblems(database: StateDatabase, store: BlockStore): string[] {
  const problems: string[] = [];
  const height = database.last?.height ?? 0n;
  // A node that was killed may have stored blocks that its state has yet to execute.
  if (store.height < height || (store.height > height && store.base > height + 1n))
    problems.push(`blocks: they are ${store.base} to ${store.height}, the state is that of block ${height}`);
  for (let at = store.base; at <= store.height && at > 0n; at++) {
    const stored = store.at(at);
    if (stored === undefined) {
      problems.push(`blocks: block ${at} is missing`);
      continue;
    }
    const { header } = stored.block;
    const before = store.at(at - 1n);
    if (before !== undefined && !same(header.lastBlockId.hash, before.commit.blockId.hash))
      problems.push(`blocks: block ${at} does not follow block ${at - 1n}`);
    if (before !== undefined && !same(header.appHash, before.results.appHash))
      problems.push(`blocks: the header of block ${at} has another app hash than block ${at - 1n} led to`);
    if (at === height && !same(stored.results.appHash, database.last?.appHash ?? new Uint8Array()))
      problems.push(`blocks: block ${at} led to another app hash than the state has`);
  }
  return problems;
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
