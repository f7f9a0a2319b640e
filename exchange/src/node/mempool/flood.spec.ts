import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lease, LeaseConfirmation, LeaseState, MsgSubmitLeaseConfirmation, type OrderId } from "@dcx/protocol";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { CheckTxType, RequestCheckTx } from "cosmjs-types/tendermint/abci/types";
import { EnvelopeErrorCode } from "../../application/envelope-error";
import type { PendingBounds } from "../../application/pending-transactions";
import { SignedChain } from "../../application/testing/signed-chain";
import type { EncodedMessage } from "../../application/transaction";
import { orderKey, tables } from "../../state/keys";
import type { WorldOptions } from "../../state/testing/genesis";
import { addressOf } from "../../state/testing/names";
import { orderOf, terms, World } from "../../state/testing/world";
import { sha256 } from "../../storage/sha256";
import { Mempool } from "./mempool";

const flooders = Array.from({ length: 40 }, (_, index) => `flooder ${index}`);
const world: WorldOptions = {
  accounts: { alice: 1_000_000n, ...Object.fromEntries(flooders.map((name) => [name, 1_000_000n])) },
  datacenters: { sierra: { region: "us-west" } },
  // Room for three transfers of such a gas limit in a block.
  parameters: { minimumGasPrice: "0", blockMaxGas: 4_000_000n, blockMaxBytes: 20_000n, facilitatorMaxBytes: 2_000 },
};
const limits = { transactions: 40, bytes: 1_000_000 };

let home: string;
let chain: SignedChain;
let mempool: Mempool;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "dcx-flood-"));
  chain = new SignedChain(home, world);
  mempool = new Mempool(chain.application, limits, () => {});
});

afterEach(async () => {
  await chain.application.close();
  rmSync(home, { recursive: true, force: true });
});

function nextBlock(): void {
  const block = chain.propose(mempool.list());
  chain.commit(block);
  mempool.settle(block.map(sha256));
}

/** A lease of alice in sierra: made as in a world without signatures, its messages signed. */
function lease(): OrderId {
  const pure = new World(world);
  const order = orderOf(pure.deploy("alice", [terms("west", { persist: true })]), "west");
  pure.bid("sierra", order);
  for (const attempt of pure.attempts) {
    expect(mempool.offer(chain.sign(attempt, 300_000n))).toMatchObject({ code: 0 });
    nextBlock();
  }
  nextBlock();
  return order;
}

function transfer(from: string): EncodedMessage {
  const amount = [{ denom: "udcx", amount: "1" }];
  const value = MsgSend.encode({ fromAddress: addressOf(from), toAddress: addressOf("alice"), amount }).finish();
  return { typeUrl: "/cosmos.bank.v1beta1.MsgSend", value };
}

function confirmation(from: string, order: OrderId): EncodedMessage {
  const confirmations = [LeaseConfirmation.fromPartial({ lease: order })];
  const value = MsgSubmitLeaseConfirmation.encode({ datacenter: addressOf(from), confirmations }).finish();
  return { typeUrl: "/dcx.exchange.v1.MsgSubmitLeaseConfirmation", value };
}

describe("a flooded chain", () => {
  // The flood's confirmations name a lease of somebody else: they take the lane of all.
  const floods: Record<string, (from: string, order: OrderId) => EncodedMessage> = {
    transfers: transfer,
    "confirmations of another's lease": confirmation,
  };

  test.each(Object.keys(floods))("makes no lease stale: %s", (kind) => {
    const order = lease();
    const flood = floods[kind] ?? transfer;
    const waiting = new Map<string, Uint8Array>();
    const refusedOnes = new Set<Uint8Array>();
    let refused = 0;
    // Five periods. Sierra confirms every fourth block, after the flood has taken all that it can get.
    for (let block = 0; block < 50; block++) {
      for (const name of flooders) {
        const before = waiting.get(name);
        if (before !== undefined && mempool.has(sha256(before))) continue;
        // One that was refused is sent again: its sequence is still the account's next.
        const next =
          before !== undefined && refusedOnes.delete(before) ? before : chain.sign(flood(name, order), 1_000_000n);
        waiting.set(name, next);
        const { code } = mempool.offer(next);
        if (code === 0) continue;
        expect(code).toBe(EnvelopeErrorCode.MempoolFull);
        refusedOnes.add(next);
        refused += 1;
      }
      if (block % 4 === 0)
        expect(mempool.offer(chain.sign(confirmation("sierra", order), 100_000n))).toMatchObject({ code: 0 });
      expect(mempool.size).toBeGreaterThanOrEqual(30);
      nextBlock();
    }
    expect(refused).toBeGreaterThan(0);
    const data = Buffer.from(tables.lease + orderKey(order), "latin1");
    const answer = chain.application.query({ path: "/store/dcx/key", data, height: 0n, prove: false });
    expect(Lease.decode(answer.value)).toMatchObject({ state: LeaseState.ACTIVE, datacenter: addressOf("sierra") });
  });
});

describe("a full mempool", () => {
  test("refuses transfers, takes a lease's confirmation, and takes transfers again once a block has made room", () => {
    const order = lease();
    const offered = flooders.map((name) => mempool.offer(chain.sign(transfer(name), 1_000_000n)).code);
    // Three quarters of the limit are everybody's.
    expect(offered.filter((code) => code === 0)).toHaveLength(30);
    expect(offered.slice(30).every((code) => code === EnvelopeErrorCode.MempoolFull)).toBe(true);
    const transaction = chain.sign(confirmation("sierra", order), 100_000n);
    expect(mempool.offer(transaction)).toMatchObject({ code: 0 });
    expect(mempool.offer(transaction)).toMatchObject({ code: EnvelopeErrorCode.MempoolDuplicate });
    nextBlock();
    expect(mempool.has(sha256(transaction))).toBe(false);
    expect(mempool.size).toBeLessThan(30);
    expect(mempool.offer(chain.sign(transfer("alice"), 1_000_000n))).toMatchObject({ code: 0 });
    for (let left = 40; left > 0 && mempool.size > 0; left--) nextBlock();
    expect(mempool).toMatchObject({ size: 0, totalBytes: 0 });
  });
});

describe("the mempool of an engine, one for all", () => {
  const checked = (tx: Uint8Array, type = CheckTxType.NEW) =>
    chain.application.checkTx(RequestCheckTx.fromPartial({ tx, type })).code;

  /** The chain again, of which no more may wait than that. */
  async function bounded(mostPending: PendingBounds): Promise<void> {
    await chain.application.close();
    rmSync(home, { recursive: true, force: true });
    home = mkdtempSync(join(tmpdir(), "dcx-flood-"));
    chain = new SignedChain(home, world, { mostPending });
    mempool = new Mempool(chain.application, limits, () => {});
  }

  test("has room for a lease's confirmation behind a flood of few but large transactions", async () => {
    await bounded({ transactions: 1_000, bytes: 3_000 });
    const order = lease();
    const pending = flooders.map((name) => chain.sign(transfer(name), 1_000_000n));
    const codes = pending.map((tx) => checked(tx));
    const taken = codes.lastIndexOf(0) + 1;
    const bytes = (count: number) => pending.slice(0, count).reduce((sum, tx) => sum + tx.length, 0);
    expect(bytes(taken)).toBeLessThanOrEqual(3_000);
    expect(bytes(taken + 1)).toBeGreaterThan(3_000);
    expect(codes.slice(taken)).toEqual(Array(40 - taken).fill(EnvelopeErrorCode.MempoolFull));
    expect(checked(chain.sign(confirmation("sierra", order), 100_000n))).toBe(0);
  });

  test("has no room behind it for a confirmation that is large by what is no lease's name", async () => {
    await bounded({ transactions: 1_000, bytes: 3_000 });
    const order = lease();
    const padded = [{ lease: order }, { lease: { ...order, tenant: "x".repeat(5_000) } }];
    const value = MsgSubmitLeaseConfirmation.encode({
      datacenter: addressOf("sierra"),
      confirmations: padded.map((one) => LeaseConfirmation.fromPartial(one)),
    }).finish();
    const message = { typeUrl: "/dcx.exchange.v1.MsgSubmitLeaseConfirmation", value };
    expect(checked(chain.sign(message, 100_000n))).toBe(EnvelopeErrorCode.MempoolFull);
    chain.takeBack(message);
    expect(checked(chain.sign(confirmation("sierra", order), 100_000n))).toBe(0);
  });

  test("has room for a lease's confirmation behind a flood, from block to block", async () => {
    await bounded({ transactions: 10, bytes: 1_000_000 });
    const order = lease();
    const pending = flooders.map((name) => chain.sign(transfer(name), 1_000_000n));
    const codes = pending.map((tx) => checked(tx));
    expect(codes.slice(0, 10)).toEqual(Array(10).fill(0));
    expect(codes.slice(10)).toEqual(Array(30).fill(EnvelopeErrorCode.MempoolFull));
    const confirmed = chain.sign(confirmation("sierra", order), 100_000n);
    expect(checked(confirmed)).toBe(0);
    // A block takes the confirmation and three of the ten; the engine asks again about what is left.
    const block = chain.propose([...pending.slice(0, 10), confirmed]);
    expect(block).toContain(confirmed);
    chain.commit(block);
    const left = pending.slice(0, 10).filter((tx) => !block.includes(tx));
    expect(left.map((tx) => checked(tx, CheckTxType.RECHECK))).toEqual(left.map(() => 0));
    const more = pending.slice(10).map((tx) => checked(tx));
    expect(more.filter((code) => code === 0)).toHaveLength(10 - left.length);
    expect(checked(chain.sign(confirmation("sierra", order), 100_000n))).toBe(0);
    // Who confirms over and over is let in no further than that.
    const again = Array.from({ length: 20 }, () => checked(chain.sign(confirmation("sierra", order), 100_000n)));
    expect(again.filter((code) => code === 0)).toHaveLength(15);
  });
});
