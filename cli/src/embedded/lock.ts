import { mkdirSync } from "node:fs";
import { lock } from "proper-lockfile";

/**
 * Runs `work` while no other command changes the embedded network in `home`. Waits for one that does; a lock left by
 * a process that died is taken over once it is stale.
 */
export async function withNetworkLock<Result>(home: string, work: () => Promise<Result>): Promise<Result> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const release = await lock(home, {
    lockfilePath: `${home}/lock`,
    stale: 10_000,
    update: 2_000,
    retries: { retries: 600, minTimeout: 100, maxTimeout: 250, factor: 1.2 },
  });
  try {
    return await work();
  } finally {
    await release();
  }
}
