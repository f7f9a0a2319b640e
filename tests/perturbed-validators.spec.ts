import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkHome } from "@dcx/exchange";
import {
  type AccountSigner,
  allTokens,
  type DeploymentId,
  ExchangeQueryClient,
  messages,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import { open } from "lmdb";
import { tables, textKey } from "../exchange/src/state/keys";
import { entriesName, mostDatabases } from "../exchange/src/storage/entries";
import { keyBytes } from "../exchange/src/storage/keys";
import { AccountRecord } from "../protocol/src/generated/dcx/exchange/v1/state";
import { faultyProgram, withEnvironment } from "./faults/program";
import { Market } from "./support/market";
import { type Program, type Validator, Validators } from "./support/validators";
import { eventually } from "./support/world";

jest.setTimeout(600_000);

const chainId = "dcx-perturbed-1";
const patience = 180_000;
const refusal = "refused a proposed block";

/** Four validators under load, of which one at a time is away, cut off or at fault; the real engine and its network. */
describe("an exchange one of whose validators is not well", () => {
  let folder: string;
  let validators: Validators;
  let query: ExchangeQueryClient;
  let market: Market;
  let payer: AccountSigner;
  let favorite: AccountSigner;
  let faulty: Program;
  /** Transactions that were said to be committed. */
  const committed: string[] = [];
  const deployed: DeploymentId[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-perturbed-"));
    faulty = faultyProgram("faulty-validator", folder);
    const [tenant, cheap, dear, paying] = await Promise.all(
      ["3a", "3b", "3c", "3d"].map((key) => signerFromPrivateKey(key.repeat(32))),
    );
    if (tenant === undefined || cheap === undefined || dear === undefined || paying === undefined) {
      throw new Error("four are given");
    }
    payer = paying;
    favorite = dear;
    validators = await Validators.start({
      folder,
      count: 4,
      chainId,
      accounts: Object.fromEntries([tenant, cheap, dear, payer].map(({ address }) => [address, 1_000_000n])),
      // Who is away for some blocks stays a validator here.
      parameters: { blockInterval: "300", reconfirmationPeriod: "25", signingWindow: "100000" },
    });
    query = await eventually("the first block", patience, () => ExchangeQueryClient.connect(validators.endpoints));
    market = await Market.open(query, { tenant, cheap, dear });
  });

  afterAll(async () => {
    query?.close();
    await validators?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Payments one after the other, and deployments all the time, while `during` goes on. */
  async function underLoad(during: () => Promise<unknown>): Promise<void> {
    const client = await SigningExchangeClient.connect(query, payer);
    const { denomination } = await query.parameters();
    let going = true;
    const paying = (async () => {
      while (going) {
        const payment = messages.send(payer.address, payer.address, 1n, denomination);
        committed.push((await client.submit([payment])).hash);
      }
    })();
    const deploying = (async () => {
      while (going) deployed.push(...(await market.round()));
    })();
    try {
      await during();
    } finally {
      going = false;
      await Promise.all([paying, deploying]);
    }
  }

  async function goesOn(validator: Validator, blocks = 3n): Promise<void> {
    const before = (await validators.height(validator)) ?? 0n;
    await eventually(
      "it goes on",
      patience,
      async () => ((await validators.height(validator)) ?? 0n) >= before + blocks,
    );
  }

  /** All have the block that is the newest now, with the same app hash. */
  async function expectAgreement(): Promise<void> {
    const newest = await query.height();
    await eventually(`all validators have block ${newest}`, patience, async () => {
      const heights = await Promise.all(validators.all.map((one) => validators.height(one)));
      return heights.every((height) => height !== undefined && height >= newest);
    });
    const hashes = await Promise.all(validators.all.map((one) => validators.appHash(one, newest)));
    expect(new Set(hashes).size).toBe(1);
  }

  test("goes on while one is paused, which catches up once it goes on itself", async () => {
    await underLoad(async () => {
      for (const paused of validators.all) {
        const other = validators.one((validators.all.indexOf(paused) + 1) % 4);
        validators.pause(paused);
        await goesOn(other, 5n);
        validators.resume(paused);
        const newest = (await validators.height(other)) ?? 0n;
        await eventually("it catches up", patience, async () => ((await validators.height(paused)) ?? 0n) >= newest);
      }
    });
    await expectAgreement();
  });

  test("halts while two are cut off from two, and goes on once they are not", async () => {
    await underLoad(async () => {
      validators.cut([validators.one(0), validators.one(1)]);
      const heights = () => Promise.all(validators.all.map((one) => validators.height(one)));
      // What was decided before may still come. Ten block intervals, and longer than a round takes to time out.
      let last = await heights();
      await eventually("it halts", patience, async () => {
        const before = last;
        await new Promise((resolve) => setTimeout(resolve, 6_000));
        last = await heights();
        return last.every((height, index) => height !== undefined && height === before[index]);
      });
      const highest = last.reduce<bigint>((most, height) => ((height ?? 0n) > most ? (height ?? 0n) : most), 0n);
      validators.heal();
      await eventually("all go on", patience, async () =>
        (await heights()).every((height) => (height ?? 0n) > highest + 2n),
      );
    });
    await expectAgreement();
  });

  test.each([
    { fault: "wrong", how: "gives leases to another than who won them" },
    { fault: "missing", how: "leaves out the facilitators' part" },
    { fault: "reordered", how: "changes the order within the facilitators' part" },
    { fault: "last", how: "puts the facilitators' part last" },
  ])("refuses the blocks of one that $how", async ({ fault }) => {
    const bad = validators.one(3);
    const offsets = validators.all.map((one) => validators.logLength(one));
    await validators.kill(bad, "application");
    validators.run(bad, withFault(fault));
    await underLoad(async () => {
      await goesOn(bad);
      await eventually("all others refuse its blocks", patience, async () =>
        validators.all.every(
          (one, index) => one === bad || validators.saidSince(one, offsets[index] ?? 0, refusal).length > 1,
        ),
      );
    });
    await validators.kill(bad, "application");
    validators.run(bad);
    await expectAgreement();
  });

  test("takes what one leaves out of its blocks into another's", async () => {
    const bad = validators.one(3);
    await validators.kill(bad, "application");
    validators.run(bad, withFault("censoring", payer.address));
    await goesOn(bad);
    const before = committed.length;
    const first = await query.height();
    const itself = await validators.address(bad);
    const proposers = new Map<bigint, string>();
    await underLoad(() =>
      eventually("payments go through while it proposes blocks", patience, async () => {
        const newest = (await validators.height(validators.one(0))) ?? 0n;
        for (let height = first + BigInt(proposers.size); height <= newest; height++) {
          proposers.set(height, await validators.proposer(validators.one(0), height));
        }
        const own = [...proposers.values()].filter((proposer) => proposer === itself);
        return own.length > 2 && committed.length >= before + 8;
      }),
    );
    for (const hash of committed.slice(before)) {
      const height = (await query.transaction(hash))?.height ?? 0n;
      expect(await validators.proposer(validators.one(0), height)).not.toBe(itself);
    }
    await validators.kill(bad, "application");
    validators.run(bad);
    await expectAgreement();
  });

  test.each([
    { where: "as it takes part", behind: 0n, says: "CONSENSUS FAILURE" },
    { where: "as it fetches blocks", behind: 12n, says: "wrong Block.Header.AppHash" },
  ])("goes on without one whose state was tampered with, $where: that one stops, and begins anew", async (one) => {
    const bad = validators.one(3);
    await validators.kill(bad, "application");
    await enrich(bad, payer.address);
    expect(await checkHome(bad.home)).not.toEqual([]);
    const offset = validators.logLength(bad);
    // As long as nobody pays the account stays as it is, and the app hash what the others have.
    if (one.behind === 0n) {
      validators.run(bad);
      await eventually("it takes part", patience, async () => (await validators.catchesUp(bad)) === false);
    }
    await underLoad(async () => {
      if (one.behind > 0n) {
        await goesOn(validators.one(0), one.behind);
        validators.run(bad);
      }
      await new Promise((resolve) => bad.process?.once("exit", resolve));
      await goesOn(validators.one(0));
    });
    expect(bad.process?.exitCode).not.toBe(0);
    expect(validators.saidSince(bad, offset, one.says)).not.toHaveLength(0);
    // All but its keys and what it has signed (docs/operate.md).
    rmSync(join(bad.home, "state"), { recursive: true });
    const data = join(bad.home, "cometbft", "data");
    for (const name of readdirSync(data)) {
      if (name !== "priv_validator_state.json") rmSync(join(data, name), { recursive: true });
    }
    validators.run(bad);
    await expectAgreement();
  });

  test("has lost nothing, and every state is as it must be", async () => {
    const leases = await market.leased(deployed);
    expect(leases.map(({ datacenter }) => datacenter)).not.toContain(favorite.address);
    expect(committed.length).toBeGreaterThan(20);
    const totals = await query.totals();
    expect(allTokens(totals) + totals.burnt).toBe(totals.genesisSupply + totals.interestMinted);
    await expectAgreement();
    for (const { rpcUrl } of validators.all) {
      const one = await ExchangeQueryClient.connect(rpcUrl);
      try {
        for (const hash of committed) expect(await one.transaction(hash)).toMatchObject({ hash, abciCode: 0 });
      } finally {
        one.close();
      }
    }
    for (const validator of validators.all) await validators.kill(validator, "application");
    for (const { home } of validators.all) {
      expect(await checkHome(home)).toEqual([]);
    }
  });

  function withFault(fault: string, whom = ""): Program {
    return withEnvironment(faulty, { DCX_TEST_FAULT: fault, DCX_TEST_WHOM: whom });
  }
});

/** Gives an account of a stopped validator a token that nobody else knows of. */
async function enrich({ home }: Validator, address: string): Promise<void> {
  const path = join(home, "state");
  const environment = open<Buffer, Buffer>({ path, encoding: "binary", keyEncoding: "binary", maxDbs: mostDatabases });
  try {
    const entries = environment.openDB<Buffer, Buffer>(entriesName(tables.account), {
      encoding: "binary",
      keyEncoding: "binary",
    });
    const key = keyBytes(tables.account + textKey(address));
    const record = AccountRecord.decode(entries.get(key) ?? new Uint8Array());
    expect(record.address).toBe(address);
    const changed = AccountRecord.encode({ ...record, balance: record.balance + 1_000_000n }).finish();
    await entries.put(key, Buffer.from(changed));
  } finally {
    await environment.close();
  }
}
