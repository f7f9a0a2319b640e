import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LoadedExchange } from "../chains/loaded-exchange";
import type { Cleanups } from "../cleanups";
import { type Bench, notMeasured, type Subject } from "../figure";
import { paired, timed } from "../measure";

const few = 1_000;

function subjectOf(many: number): Subject {
  return {
    name: `block: one order changes among ${many.toLocaleString("en-US")}`,
    unit: "ms",
    against: `the same among ${few.toLocaleString("en-US")} open orders`,
    goal: { better: "lower", aim: 1.1, gate: 1.5 },
  };
}

/**
 * The time of a block of an embedded node, from its proposal until it is committed: on the disk, so that nothing can undo it.
 * The transaction in it raises the price of one open order, another order in each block. No block begins before the state
 * of the one before it has been written too: neither size pays for the other's writes.
 */
export const blockAmongOrders: Bench = {
  names: ({ orders }) => orders.map((many) => subjectOf(many).name),
  async *run({ orders, log, cleanups }, wanted) {
    for (const many of orders) {
      const subject = subjectOf(many);
      if (wanted(subject.name)) {
        try {
          log(`${subject.name}: loading them`);
          yield { ...subject, outcome: await measure(many, cleanups, () => log(subject.name)) };
        } catch (error) {
          yield notMeasured(subject, error);
        }
      }
    }
  },
};

async function measure(many: number, cleanups: Cleanups, loaded: () => void) {
  const folder = mkdtempSync(join(tmpdir(), "dcx-bench-orders-"));
  const open: LoadedExchange[] = [];
  const close = cleanups.add(async () => {
    for (const exchange of open) {
      await exchange.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    for (const [name, orders] of [
      ["many", many],
      ["few", few],
    ] as const) {
      open.push(await LoadedExchange.load(join(folder, name), orders));
    }
    loaded();
    const [first, second] = open;
    if (first === undefined || second === undefined) {
      throw new Error("both are loaded above");
    }
    const blockOf = (exchange: LoadedExchange) => async () => {
      const transaction = await exchange.changeOfAnotherOrder();
      for (const one of open) await one.written();
      return timed(() => exchange.block([transaction]));
    };
    return await paired({ pairs: 101, warmup: 30 }, blockOf(first), blockOf(second));
  } finally {
    await close();
  }
}
