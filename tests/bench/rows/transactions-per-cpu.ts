import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EncodeObject } from "@cosmjs/proto-signing";
import type { BenchAccount, Fee } from "../chains/accounts";
import { startAkashNode } from "../chains/akash-node";
import { type Chain, Rpc } from "../chains/chain";
import { startExchangeNode, startValidators } from "../chains/exchange-node";
import { type Bench, notMeasured, type Subject } from "../figure";
import { type Goal, paired } from "../measure";
import { tool, until } from "../processes";

/** Milliseconds between blocks, on both. */
const interval = 500;
const transactionsPerRound = 2_000;
/** Each sends over a connection of its own. */
const senders = Array.from({ length: 20 }, (_, index) => `sender ${index}`);

type Kind = "transfers" | "deployments";

/** How the exchange is run, and what its figures are to come to (design: 'What "fast" means here'). */
const ways = [
  { way: "node", goal: { better: "higher", aim: 3, gate: 2 } },
  { way: "node under CometBFT", goal: { better: "higher", aim: 2, gate: 1 } },
] as const;
type Way = (typeof ways)[number]["way"];

const measured = ways.flatMap(({ way, goal }) =>
  (["transfers", "deployments"] as const).map((kind) => ({ way, kind, subject: subjectOf(way, kind, goal) })),
);

function subjectOf(way: Way, kind: Kind, goal: Goal): Subject {
  return {
    name: `${way}: ${kind} committed a CPU-second`,
    unit: "transactions/CPU-s",
    against: `an Akash node (v0.36.0, one validator), a block each ${interval} ms as here`,
    goal,
  };
}

/** Processor time of the node's processes alone, from the first transaction offered to the last committed. */
export const transactionsPerCpu: Bench = {
  names: () => measured.map(({ subject }) => subject.name),
  async *run({ log, cleanups }, wanted) {
    const chosen = measured.filter(({ subject }) => wanted(subject.name));
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-nodes-"));
    const running: Chain[] = [];
    const done = new Set<Subject>();
    const close = cleanups.add(async () => {
      await Promise.all(running.map(({ node }) => node.stop()));
      rmSync(folder, { recursive: true, force: true });
    });
    const keep = (chain: Chain): Chain => {
      running.push(chain);
      return chain;
    };
    try {
      log("node: starting an exchange and an Akash node");
      const akashHome = join(folder, "akash");
      mkdirSync(akashHome);
      const akash = keep(await startAkashNode(await tool("akash.cjs"), akashHome, interval, senders));
      const exchanges = new Map<Way, Chain>();
      // The second exchange meets an Akash node that has had deployments: no other can have their numbers.
      const onAkash = { transfers: new Rounds(akash, "transfers"), deployments: new Rounds(akash, "deployments") };
      for (const { way, kind, subject } of chosen) {
        log(subject.name);
        const exchange = exchanges.get(way) ?? keep(await start(way, folder));
        exchanges.set(way, exchange);
        const outcome = await compare(new Rounds(exchange, kind), onAkash[kind]);
        done.add(subject);
        yield { ...subject, outcome };
      }
    } catch (error) {
      for (const { subject } of chosen) {
        if (!done.has(subject)) yield notMeasured(subject, error);
      }
    } finally {
      await close();
    }
  },
};

async function start(way: Way, folder: string): Promise<Chain> {
  if (way === "node") {
    return startExchangeNode(join(folder, "exchange"), interval, senders);
  }
  const cometbft = await tool("cometbft.cjs");
  const [chain] = await startValidators(1, cometbft, join(folder, "distributed"), interval, senders);
  if (chain === undefined) throw new Error("one was started");
  return chain;
}

/** The first round on each is for just-in-time compilers and caches. */
function compare(exchange: Rounds, akash: Rounds) {
  return paired(
    { pairs: 5, warmup: 1 },
    () => exchange.next(),
    () => akash.next(),
  );
}

/** Rounds of transactions of one kind on one chain. */
class Rounds {
  private readonly rpc: Rpc;
  private ordinal = 0;
  private fee: Fee | undefined;

  constructor(
    private readonly chain: Chain,
    private readonly kind: Kind,
  ) {
    this.rpc = new Rpc(chain.rpcUrl);
  }

  /** Committed transactions for each second of processor time. */
  async next(): Promise<number> {
    this.fee ??= await this.estimateFee();
    // Signed before anything is measured, each account's in the order of their sequences.
    const batches = await this.sign(this.fee);
    const first = (await this.rpc.height()) + 1;
    const start = this.chain.node.cpuSeconds();
    await Promise.all(batches.map((batch) => this.send(batch)));
    await until("all transactions are committed", 120_000, async () =>
      (await this.rpc.waiting()) === 0 ? true : undefined,
    );
    const used = this.chain.node.cpuSeconds() - start;
    await this.expectCommitted(first);
    return transactionsPerRound / used;
  }

  private message(sender: number): { readonly account: BenchAccount; readonly message: EncodeObject } {
    const { accounts } = this.chain;
    const [account, other] = [accounts[sender], accounts[(sender + 1) % accounts.length]];
    if (account === undefined || other === undefined) {
      throw new Error(`the chain has no sender ${sender}`);
    }
    return {
      account,
      message:
        this.kind === "transfers"
          ? this.chain.transfer(account, other)
          : this.chain.deployment(account, this.ordinal++),
    };
  }

  private async sign(fee: Fee): Promise<readonly (readonly Uint8Array[])[]> {
    const batches: Uint8Array[][] = [];
    for (const sender of this.chain.accounts.keys()) {
      const batch: Uint8Array[] = [];
      while (batch.length < transactionsPerRound / this.chain.accounts.length) {
        const { account, message } = this.message(sender);
        batch.push(await account.sign(this.chain.registry, this.chain.chainId, message, fee));
      }
      batches.push(batch);
    }
    return batches;
  }

  /** One connection's work: a transaction after the other. */
  private async send(batch: readonly Uint8Array[]): Promise<void> {
    for (const transaction of batch) {
      await this.rpc.broadcast(transaction);
    }
  }

  /** For the gas that one such transaction takes, and a third more. */
  private async estimateFee(): Promise<Fee> {
    const { account, message } = this.message(0);
    const { registry, chainId, feeFor } = this.chain;
    const gas = await this.rpc.gasOf(await account.sign(registry, chainId, message, feeFor(200_000n)));
    // It was never sent.
    account.sequence -= 1n;
    return feeFor((gas * 4n) / 3n);
  }

  private async expectCommitted(first: number): Promise<void> {
    const codes: number[] = [];
    const last = await this.rpc.height();
    for (let height = first; height <= last; height++) {
      codes.push(...(await this.rpc.results(height)).map(({ code }) => code));
    }
    const succeeded = codes.filter((code) => code === 0).length;
    if (succeeded !== transactionsPerRound) {
      throw new Error(`${this.chain.chainId} committed ${succeeded} of ${transactionsPerRound} ${this.kind}`);
    }
  }
}
