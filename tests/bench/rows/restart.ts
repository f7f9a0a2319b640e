import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messages } from "@dcx/protocol";
import { type Chain, Rpc } from "../chains/chain";
import { startAgain, startExchangeNode } from "../chains/exchange-node";
import { offer } from "../chains/offered";
import type { Cleanups } from "../cleanups";
import { type Bench, notMeasured, type Subject } from "../figure";
import { median } from "../measure";
import { type Service, until } from "../processes";

/** Milliseconds. */
const most = 10_000;
const interval = 200;
const senders = Array.from({ length: 20 }, (_, index) => `tenant ${index}`);
/** Infrastructures, and with them orders, of one deployment. */
const perDeployment = 500;
const scale = 10n ** 18n;
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
          log(`${subject.name}: submitting them`);
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
    const chain = await startExchangeNode(home, interval, senders, {
      maxInfrastructures: perDeployment,
      blockMaxBytes: 8_000_000n,
      blockMaxGas: 10_000_000_000n,
    });
    node = chain.node;
    await submit(chain, orders);
    const took: number[] = [];
    for (let restarted = 0; restarted < restarts; restarted++) {
      await node.kill();
      const start = performance.now();
      const again = await startAgain(home);
      node = again.node;
      const rpc = new Rpc(again.rpcUrl);
      const before = await rpc.height();
      await until("its next block", 60_000, async () => ((await rpc.height()) > before ? true : undefined));
      took.push(performance.now() - start);
      log(`${took.at(-1)?.toFixed(0)} ms until its next block`);
    }
    return median(took);
  } finally {
    await close();
  }
}

/** Deployments of five hundred orders each, as their tenants submit them. */
async function submit(chain: Chain, orders: number): Promise<void> {
  const rpc = new Rpc(chain.rpcUrl);
  const { accounts, registry, chainId } = chain;
  const message = (owner: string, ordinal: number) => {
    const token = createHash("sha256").update(`${owner}/${ordinal}`).digest();
    return messages.submitDeployment({
      tenant: owner,
      infrastructures: Array.from({ length: perDeployment }, (_, index) => infrastructure(`i${index}`)),
      version: token,
      manifestEntries: 1,
      nonce: token,
      clientToken: token,
    });
  };
  const [first] = accounts;
  if (first === undefined) {
    throw new Error("the chain has accounts");
  }
  const trial = await first.sign(registry, chainId, message(first.address, 0), chain.feeFor(1_000_000_000n));
  first.sequence -= 1n;
  const fee = chain.feeFor(((await rpc.gasOf(trial)) * 4n) / 3n);
  for (let deployment = 0; deployment * perDeployment < orders; deployment += accounts.length) {
    const lists = await Promise.all(
      accounts.map(async (account) => [
        await account.sign(registry, chainId, message(account.address, deployment), fee),
      ]),
    );
    await offer([chain.rpcUrl], lists);
    await until("the deployments are committed", 120_000, async () => ((await rpc.waiting()) === 0 ? true : undefined));
  }
}

/** One group. */
function infrastructure(name: string) {
  return {
    name,
    region: "us-west",
    attributes: [],
    allowedDatacenters: [],
    deniedDatacenters: [],
    persist: true,
    resources: [
      {
        compute: { cpu: 500n, memory: 2n ** 29n, disk: 2n ** 30n },
        price: (10n * scale).toString(),
        collateral: 1_000n,
        count: 1,
      },
    ],
  };
}
