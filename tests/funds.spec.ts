import { randomBytes } from "node:crypto";
import { CloseReason, LeaseState, readKeyFile, SigningExchangeClient, signerFromPrivateKey } from "@dcx/protocol";
import { expectNothingLeft, expectTokensToAddUp } from "./support/checks";
import { thin } from "./support/programs";
import { eventually, World } from "./support/world";

jest.setTimeout(600_000);

test("a tenant that empties its balance: the lease ends as insufficient-funds, the datacenter keeps its collateral", async () => {
  const world = World.create();
  try {
    const network = await world.startNetwork();
    const client = await world.client();
    const key = randomBytes(32).toString("hex");
    const poor = await signerFromPrivateKey(key);
    const rich = await signerFromPrivateKey(readKeyFile(world.paths.tenantKey).privateKey);
    const send = async (from: typeof poor, to: string, amount: bigint): Promise<void> => {
      const signing = await SigningExchangeClient.connect(client, from);
      await signing.submit([
        {
          typeUrl: "/cosmos.bank.v1beta1.MsgSend",
          value: { fromAddress: from.address, toAddress: to, amount: [{ denom: "udcx", amount: amount.toString() }] },
        },
      ]);
    };
    await send(rich, poor.address, 100_000_000n);

    const stack = await world.stack("poor", {
      ...thin(),
      config: {
        "dcx:network": { value: "exchange" },
        "dcx:endpoints": { value: [network.rpcUrl] },
        "dcx:privateKey": { value: key },
      },
    });
    await stack.up();
    const balance = (await client.account(poor.address))?.balance ?? 0n;
    // All but what this transfer itself costs, and less than one more deposit.
    const { parameters } = await client.parameters();
    const reserve = (200_000n * BigInt(parameters?.minimumGasPrice ?? "0")) / 10n ** 18n + 1n;
    await send(poor, rich.address, balance - reserve);

    const lease = await eventually("the lease ends", 120_000, async () =>
      (await client.leases({ state: LeaseState.CLOSED })).leases.find(({ id }) => id?.tenant === poor.address),
    );
    expect(lease.closeReason).toBe(CloseReason.INSUFFICIENT_FUNDS);
    await expectTokensToAddUp(world);
    expect((await client.totals()).collateral).toBe(0n);

    await send(rich, poor.address, 10_000_000n);
    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});
