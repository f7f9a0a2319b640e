import { createHash } from "node:crypto";
import { until } from "../processes";
import type { Fee } from "./accounts";
import { type Chain, Rpc } from "./chain";

/** Transfers of a chain's accounts, signed before anything is measured: a list for each, in the order of their sequences. */
export async function signTransfers(
  chain: Chain,
  count: number,
  fee: Fee,
): Promise<readonly (readonly Uint8Array[])[]> {
  const { accounts, registry, chainId } = chain;
  return Promise.all(
    accounts.map(async (account, index) => {
      const other = accounts[(index + 1) % accounts.length] ?? account;
      const signed: Uint8Array[] = [];
      while (signed.length < count / accounts.length) {
        signed.push(await account.sign(registry, chainId, chain.transfer(account, other), fee));
      }
      return signed;
    }),
  );
}

/** Sends each list over a connection of its own, one transaction after the other, to the endpoints in turn. */
export async function offer(
  urls: readonly string[],
  lists: readonly (readonly Uint8Array[])[],
  sending: (transaction: Uint8Array) => void = () => {},
): Promise<void> {
  await Promise.all(
    lists.map(async (list, index) => {
      const rpc = new Rpc(urls[index % urls.length] ?? "");
      for (const transaction of list) {
        sending(transaction);
        await rpc.broadcast(transaction);
      }
    }),
  );
}

/** What came of transactions that were offered as fast as they were taken. */
export interface Committed {
  /** From the first offered to the last committed. */
  readonly perSecond: number;
  /** Milliseconds from offering a transaction until its block was seen, of which 95 of 100 took less. */
  readonly p95: number;
}

/** Offers them all and follows the blocks until each is in one. */
export async function commitAll(
  urls: readonly string[],
  lists: readonly (readonly Uint8Array[])[],
): Promise<Committed> {
  const rpc = new Rpc(urls[0] ?? "");
  const sent = new Map<string, number>();
  const took: number[] = [];
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  let next = (await rpc.height()) + 1;
  const start = performance.now();
  const offering = offer(urls, lists, (transaction) => sent.set(hashOf(transaction), performance.now()));
  const following = until("all transactions are committed", 300_000, async () => {
    for (const height = await rpc.height(); next <= height; next++) {
      const transactions = await rpc.transactions(next);
      const now = performance.now();
      for (const transaction of transactions) {
        const since = sent.get(hashOf(transaction));
        if (since !== undefined) {
          took.push(now - since);
        }
      }
    }
    return took.length >= count ? true : undefined;
  });
  await Promise.all([offering, following]);
  const seconds = (performance.now() - start) / 1_000;
  took.sort((left, right) => left - right);
  return { perSecond: count / seconds, p95: took[Math.ceil(took.length * 0.95) - 1] ?? 0 };
}

function hashOf(transaction: Uint8Array): string {
  return createHash("sha256").update(transaction).digest("hex");
}
