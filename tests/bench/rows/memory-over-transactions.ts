import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Chain } from "../chains/chain";
import { Rpc } from "../chains/chain";
import { startExchangeNode } from "../chains/exchange-node";
import { offer, signTransfers } from "../chains/offered";
import { type Bench, notMeasured, type Subject } from "../figure";
import { median } from "../measure";
import { until } from "../processes";

const transactions = 200_000;
const perRound = 5_000;
const interval = 200;
const senders = Array.from({ length: 20 }, (_, index) => `sender ${index}`);
const gas = 100_000n;

const subject: Subject = {
  name: `node: memory over ${transactions.toLocaleString("en-US")} transactions`,
  unit: "MB",
  against: "the same node in the second quarter of them; here: in the last",
  goal: { better: "lower", aim: 1.1, gate: 1.25 },
};

/** What the embedded node's process holds in memory, after each of forty rounds of transfers: medians of ten. */
export const memoryOverTransactions: Bench = {
  names: ({ long }) => (long ? [subject.name] : []),
  async *run({ log, cleanups }) {
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-memory-"));
    let chain: Chain | undefined;
    const close = cleanups.add(async () => {
      await chain?.node.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    try {
      mkdirSync(join(folder, "node"));
      chain = await startExchangeNode(join(folder, "node", "home"), interval, senders);
      const rpc = new Rpc(chain.rpcUrl);
      const held: number[] = [];
      for (let done = 0; done < transactions; done += perRound) {
        const lists = await signTransfers(chain, perRound, chain.feeFor(gas));
        await offer([chain.rpcUrl], lists);
        await until("all transactions are committed", 120_000, async () =>
          (await rpc.waiting()) === 0 ? true : undefined,
        );
        const megabytes = await chain.node.heldMegabytes();
        held.push(megabytes);
        log(`${subject.name}: ${megabytes.toFixed(0)} MB after ${(done + perRound).toLocaleString("en-US")}`);
      }
      const quarter = held.length / 4;
      const value = median(held.slice(3 * quarter));
      const reference = median(held.slice(quarter, 2 * quarter));
      yield { ...subject, outcome: { value, reference, ratio: value / reference } };
    } catch (error) {
      yield notMeasured(subject, error);
    } finally {
      await close();
    }
  },
};
