import { LeaseState, readKeyFile } from "@dcx/protocol";
import { afterTeardown, ask, containers, expectNothingLeft, expectTokensToAddUp } from "./support/checks";
import { inline, separate, withCollateral } from "./support/programs";
import { eventually, World } from "./support/world";

jest.setTimeout(600_000);

test("a killed datacenter's lease breaks, its collateral goes to the tenant, and another one takes over", async () => {
  const world = World.create();
  try {
    // Any region, so that the other datacenter may take over what the one that dies holds: east, or both.
    const program = withCollateral(inline({ eastRegion: "", westRegion: "" }), "shop", "east", "5");
    const stack = await world.stack("lost", program);
    await stack.up();
    const client = await world.client();
    const { deployment: id } = await stack.outputs();
    const [, tenant = "", text = ""] = String(id).split("/");
    const deployment = { tenant, sequence: BigInt(text) };
    const active = async () =>
      (await client.deployment(deployment)).leases.filter(({ state }) => state === LeaseState.ACTIVE);
    const before = await active();
    const lost = before.find((lease) => lease.id?.infrastructure === "east");
    const victim = world.network.datacenters.find(({ address }) => address === lost?.datacenter);
    if (lost?.id === undefined || victim === undefined) {
      throw new Error("No datacenter of this network holds the lease of east.");
    }
    world.kill(victim.process.pid);
    const balances = async () => (await client.account(tenant))?.balance ?? 0n;
    const poorer = await balances();

    const broken = await eventually("the lease breaks", 120_000, async () =>
      (await client.leases({ state: LeaseState.BROKEN, deployment })).leases.find(
        (lease) => lease.id?.infrastructure === "east",
      ),
    );
    expect(broken.collateral).toBe(5_000_000n);
    const { parameters } = await client.parameters();
    expect(broken.closedHeight - broken.lastConfirmedHeight).toBeGreaterThan(parameters?.reconfirmationPeriod ?? 0n);
    // Rent and deposits are a few hundred micro-units.
    expect(await balances()).toBeGreaterThan(poorer + 5_000_000n - 10_000n);
    await expectTokensToAddUp(world);
    await eventually("another datacenter takes over", 120_000, async () => {
      const leases = await active();
      return leases.length === 2 && leases.every(({ datacenter }) => datacenter !== victim.address);
    });

    await stack.up();
    const { url } = await stack.outputs();
    expect(await ask(url)).toMatchObject({ api: { greeting: "Hello from api" } });
    expect((await stack.preview()).steps).toEqual([]);
    await stack.destroy();
    expect(readKeyFile(world.paths.tenantKey).address).toBe(tenant);
    await world.startNetwork();
    await afterTeardown(world);
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

test("a datacenter that is down blocks neither the rest of an update nor a destroy", async () => {
  const world = World.create();
  try {
    const stack = await world.stack("down", separate());
    await stack.up();
    const before = await containers(world);
    const victim = world.network.datacenters.find(({ region }) => region === "us-west");
    if (victim === undefined) {
      throw new Error("No datacenter in us-west.");
    }
    world.kill(victim.process.pid);
    stack.write(separate({ apiImage: "dcx.example/two-tier-api:1.1" }));
    const { steps } = await stack.up();
    expect(steps).toContainEqual(expect.objectContaining({ name: "api", operation: "update", diffs: ["container"] }));
    const after = await containers(world);
    expect(after["api/0"]).toEqual(expect.any(String));
    expect(after["api/0"]).not.toBe(before["api/0"]);
    await stack.destroy();
    const totals = await (await world.client()).totals();
    expect([totals.activeLeases, totals.activeDeployments]).toEqual([0n, 0n]);
    await world.startNetwork();
    await afterTeardown(world);
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});
