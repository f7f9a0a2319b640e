import { randomBytes } from "node:crypto";
import {
  type AccountSigner,
  CloseReason,
  LeaseState,
  readKeyFile,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import { ask, expectNothingLeft, expectTokensToAddUp } from "./support/checks";
import { thin, withCollateral } from "./support/programs";
import { eventually, World } from "./support/world";

jest.setTimeout(600_000);

test("a tenant that empties its balance: the lease ends as insufficient-funds, the datacenter keeps its collateral", async () => {
  const world = World.create();
  try {
    const stack = await world.stack("poor", withCollateral(thin(), "hello", "main", "5"));
    await stack.up();
    const client = await world.client();
    const tenant = await signerFromPrivateKey(readKeyFile(world.paths.tenantKey).privateKey);
    const friend = await signerFromPrivateKey(randomBytes(32).toString("hex"));
    const [before] = (await client.leases({ state: LeaseState.ACTIVE })).leases;
    if (before === undefined) {
      throw new Error("There is no lease.");
    }
    expect(before.collateral).toBe(5_000_000n);
    const balanceOf = async (address: string): Promise<bigint> => (await client.account(address))?.balance ?? 0n;
    const datacenterBefore = await balanceOf(before.datacenter);

    // Again where a confirmation has refilled the deposit in between.
    await eventually("the tenant has nothing left", 120_000, async () => {
      await sendAll(client, tenant, friend.address);
      return (await balanceOf(tenant.address)) === 0n;
    });
    const lease = await eventually("the lease ends", 120_000, async () =>
      (await client.leases({ state: LeaseState.CLOSED })).leases.find(({ id }) => id?.tenant === tenant.address),
    );
    expect(lease.closeReason).toBe(CloseReason.INSUFFICIENT_FUNDS);
    await expectTokensToAddUp(world);
    expect((await client.totals()).collateral).toBe(0n);
    // Its own again, with what was due; fees of confirmations are a few micro-units each.
    expect(await balanceOf(lease.datacenter)).toBeGreaterThan(datacenterBefore + 5_000_000n - 1_000n);
    expect((await client.totals()).activeLeases).toBe(0n);

    await sendAll(client, friend, tenant.address);
    // Nothing was reopened in between; the next up leases again.
    expect((await client.orders({})).orders).toEqual([]);
    await stack.up();
    expect(await ask((await stack.outputs())["url"])).toMatchObject({ greeting: "Hello from api" });
    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

/** Leaves nothing: the fee of a given amount of gas is known beforehand. */
async function sendAll(client: Awaited<ReturnType<World["client"]>>, from: AccountSigner, to: string): Promise<void> {
  const gas = 200_000n;
  const signing = await SigningExchangeClient.connect(client, from);
  const { parameters, denomination } = await client.parameters();
  const rateScale = 10n ** 18n;
  const fee = (gas * BigInt(parameters?.minimumGasPrice ?? 0n) + rateScale - 1n) / rateScale;
  const amount = ((await client.account(from.address))?.balance ?? 0n) - fee;
  const coin = { denom: denomination, amount: amount.toString() };
  await signing.submit(
    [
      {
        typeUrl: "/cosmos.bank.v1beta1.MsgSend",
        value: { fromAddress: from.address, toAddress: to, amount: [coin] },
      },
    ],
    { gas },
  );
}
