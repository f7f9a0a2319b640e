import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Rpc } from "../chains/chain";
import { startAgain, startOnState } from "../chains/exchange-node";
import { loadState } from "../chains/loaded-state";
import type { Cleanups } from "../cleanups";
import { type Bench, notMeasured, type Subject } from "../figure";
import { median } from "../measure";
import { type Service, until } from "../processes";

/** Milliseconds. */
const most = 10_000;
const interval = 200n;
const restarts = 5;

function subjectOf(orders: number): Subject {
  return {
    name: `node: restart with ${orders.toLocaleString("en-US")} open orders`,
    unit: "ms",
    against: "ten seconds, however many there are",
    goal: { better: "lower", aim: 1, gate: 1 },
  };
}

/** From the start of an embedded node that was killed until it has made its next block. */
export const restart: Bench = {
  names: ({ orders }) => orders.map((count) => subjectOf(count).name),
  async *run({ orders, log, cleanups }, wanted) {
    for (const count of orders) {
      const subject = subjectOf(count);
      if (wanted(subject.name)) {
        try {
          log(`${subject.name}: loading them`);
          const value = await measure(count, cleanups, log);
          yield { ...subject, outcome: { value, reference: most, ratio: value / most } };
        } catch (error) {
          yield notMeasured(subject, error);
        }
      }
    }
  },
};

async function measure(orders: number, cleanups: Cleanups, log: (line: string) => void): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "dcx-bench-restart-"));
  let node: Service | undefined;
  const close = cleanups.add(async () => {
    await node?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    mkdirSync(join(folder, "node"));
    const home = join(folder, "node", "home");
    const { genesis } = await loadState(join(home, "state"), "dcx-bench-1", orders, { blockInterval: interval });
    const first = await startOnState(home, genesis);
    node = first.node;
    await nextBlock(first.rpcUrl);
    const took: number[] = [];
    for (let restarted = 0; restarted < restarts; restarted++) {
      await node.kill();
      const start = performance.now();
      const again = await startAgain(home);
      node = again.node;
      await nextBlock(again.rpcUrl);
      took.push(performance.now() - start);
      log(`${took.at(-1)?.toFixed(0)} ms until its next block`);
    }
    return median(took);
  } finally {
    await close();
  }
}

async function nextBlock(rpcUrl: string): Promise<void> {
  const rpc = new Rpc(rpcUrl);
  const before = await rpc.height();
  await until("its next block", 60_000, async () => ((await rpc.height()) > before ? true : undefined));
}
