import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRegistry, messages } from "@dcx/protocol";
import { BenchAccount } from "./bench/chains/accounts";
import { Rpc } from "./bench/chains/chain";
import { terms } from "./bench/chains/loaded-state";
import { Validators } from "./support/validators";
import { eventually } from "./support/world";

const chainId = "dcx-full-mempool-1";
const mempoolBytes = 40_000;
/** Milliseconds: time enough to offer all of it before a block takes it. */
const blockInterval = 8_000;
const patience = 180_000;

jest.setTimeout(2 * patience);

test("CometBFT and the application refuse what has no room among the bytes that wait, and a block makes room", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dcx-full-mempool-"));
  const names = ["first", "second", "third", "fourth"];
  const accounts = await Promise.all(names.map((name) => BenchAccount.named(name, "dcx")));
  const validators = await Validators.start({
    folder,
    count: 1,
    chainId,
    accounts: Object.fromEntries(accounts.map(({ address }) => [address, 1_000_000n])),
    parameters: { blockInterval: String(blockInterval) },
    settings: [`mempool.max_txs_bytes=${mempoolBytes}`],
  });
  try {
    const rpc = new Rpc(validators.one(0).rpcUrl);
    const height = await eventually("the first block", patience, () => rpc.height());
    const registry = await createRegistry();
    const deployments = await Promise.all(
      accounts.map(async (account, index) => {
        await rpc.prepare(account);
        const token = createHash("sha256").update(account.address).digest();
        const infrastructures = Array.from({ length: [70, 70, 25, 1][index] ?? 0 }, (_, ordinal) => ({
          ...terms(10n),
          name: `i${ordinal}`,
          attributes: ["a", "b", "c", "d"].map((key) => ({ key, value: `${key}${ordinal}`.padEnd(60, "-") })),
        }));
        const message = messages.submitDeployment({
          tenant: account.address,
          infrastructures,
          version: token,
          manifestEntries: 1,
          nonce: token,
          clientToken: token,
        });
        return account.sign(registry, chainId, message, {
          amount: [{ denom: "udcx", amount: "50000" }],
          gas: 5_000_000n,
        });
      }),
    );
    const [first, tooLarge, forConfirmations, small] = deployments as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    expect(first.length + tooLarge.length).toBeGreaterThan(mempoolBytes);
    expect(first.length + forConfirmations.length).toBeGreaterThan(mempoolBytes * 0.75);
    expect(first.length + forConfirmations.length).toBeLessThan(mempoolBytes);
    expect(first.length + small.length).toBeLessThan(mempoolBytes * 0.75);

    await eventually("a block has just been made", patience, async () => (await rpc.height()) > height);
    await rpc.broadcast(first);
    // CometBFT's own words, and then the application's: a quarter is kept for confirmations of leases.
    await expect(rpc.broadcast(tooLarge)).rejects.toThrow(/mempool is full: number of txs 1 .*\(max: 40000\)/);
    await expect(rpc.broadcast(forConfirmations)).rejects.toThrow("refused with 20: mempool is full");
    await rpc.broadcast(small);

    await eventually("a block has taken what waited", patience, async () => (await rpc.waiting()) === 0);
    await rpc.broadcast(tooLarge);
    expect(await rpc.waiting()).toBe(1);
  } finally {
    await validators.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
