import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Chain } from "../chains/chain";
import { startExchangeNode, startValidators } from "../chains/exchange-node";
import { type Committed, commitAll, signTransfers } from "../chains/offered";
import type { Cleanups } from "../cleanups";
import { type Bench, notMeasured, type Subject } from "../figure";
import { type Sample, sampleOf } from "../measure";
import { tool } from "../processes";

/** Milliseconds between blocks, on all. */
const interval = 500;
const transactionsPerRound = 2_000;
const pairs = 3;
const senders = Array.from({ length: 20 }, (_, index) => `sender ${index}`);
const gas = 100_000n;

const counts = [
  { count: 1, who: "one validator" },
  { count: 4, who: "four validators" },
] as const;

function subjects(who: string): { readonly rate: Subject; readonly p95: Subject } {
  const against = "the embedded node, a block each 500 ms as here";
  return {
    rate: { name: `${who} under CometBFT: transfers committed`, unit: "transactions/s", against },
    p95: { name: `${who} under CometBFT: 95 of 100 committed within`, unit: "ms", against },
  };
}

/** All processes of it on this machine, and what offers transactions too: the figures are to be read, not judged. */
export const throughput: Bench = {
  names: () => counts.flatMap(({ who }) => Object.values(subjects(who)).map(({ name }) => name)),
  async *run({ log, cleanups }, wanted) {
    for (const { count, who } of counts) {
      const { rate, p95 } = subjects(who);
      const chosen = [rate, p95].filter(({ name }) => wanted(name));
      if (chosen.length === 0) {
        continue;
      }
      log(rate.name);
      try {
        const samples = await measure(count, cleanups);
        for (const subject of chosen) {
          yield { ...subject, outcome: subject === rate ? samples.rate : samples.p95 };
        }
      } catch (error) {
        for (const subject of chosen) {
          yield notMeasured(subject, error);
        }
      }
    }
  },
};

async function measure(count: number, cleanups: Cleanups): Promise<{ readonly rate: Sample; readonly p95: Sample }> {
  const folder = mkdtempSync(join(tmpdir(), "dcx-bench-throughput-"));
  const running: Chain[] = [];
  const close = cleanups.add(async () => {
    await Promise.all(running.map(({ node }) => node.stop()));
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    mkdirSync(join(folder, "embedded"));
    const embedded = await startExchangeNode(join(folder, "embedded", "home"), interval, senders);
    running.push(embedded);
    const cometbft = await tool("cometbft.cjs");
    const validators = await startValidators(count, cometbft, join(folder, "validators"), interval, senders);
    running.push(...validators);
    const measured: { readonly value: Committed; readonly reference: Committed }[] = [];
    // The first round on each is for just-in-time compilers and caches.
    for (let round = 0; round <= pairs; round++) {
      const pair = { value: await commit(validators), reference: await commit([embedded]) };
      if (round > 0) {
        measured.push(pair);
      }
    }
    return {
      rate: sampleOf(measured.map(({ value, reference }) => [value.perSecond, reference.perSecond])),
      p95: sampleOf(measured.map(({ value, reference }) => [value.p95, reference.p95])),
    };
  } finally {
    await close();
  }
}

async function commit(chains: readonly Chain[]): Promise<Committed> {
  const [chain] = chains;
  if (chain === undefined) {
    throw new Error("a chain has a node");
  }
  const lists = await signTransfers(chain, transactionsPerRound, chain.feeFor(gas));
  return commitAll(
    chains.map(({ rpcUrl }) => rpcUrl),
    lists,
  );
}
