import { LeaseState, readKeyFile } from "@dcx/protocol";
import { ask, expectNothingLeft, expectTokensToAddUp } from "./support/checks";
import { inline } from "./support/programs";
import { eventually, World } from "./support/world";

jest.setTimeout(600_000);

test("a killed datacenter's lease breaks, its collateral goes to the tenant, and another one takes over", async () => {
  const world = World.create();
  try {
    // Any region: so that the other datacenter may take over.
    const stack = await world.stack("lost", withCollateral(inline({ eastRegion: "" })));
    await stack.up();
    const client = await world.client();
    const { deployment: id } = await stack.outputs();
    const [, tenant = "", sequence = ""] = String(id).split("/");
    const read = () => client.deployment({ tenant, sequence: BigInt(sequence) });
    const before = await read();
    const lost = before.leases.find((lease) => lease.id?.infrastructure === "east");
    const victim = world.network.datacenters.find(({ address }) => address === lost?.datacenter);
    if (lost?.id === undefined || victim === undefined) {
      throw new Error("No datacenter of this network holds the lease of east.");
    }
    world.kill(victim.process.pid);

    const broken = await eventually("the lease breaks", 60_000, async () =>
      (
        await client.leases({ state: LeaseState.BROKEN, deployment: { tenant, sequence: BigInt(sequence) } })
      ).leases.find((lease) => lease.id?.infrastructure === "east"),
    );
    expect(broken.collateral).toBe(collateral);
    await expectTokensToAddUp(world);
    await eventually("another datacenter takes over", 60_000, async () =>
      (await read()).leases.some(
        (lease) =>
          lease.state === LeaseState.ACTIVE &&
          lease.id?.infrastructure === "east" &&
          lease.datacenter !== victim.address,
      ),
    );

    await stack.up();
    const { url } = await stack.outputs();
    expect(await ask(url)).toMatchObject({ api: { greeting: "Hello from api" } });
    await stack.destroy();
    expect(readKeyFile(world.paths.tenantKey).address).toBe(tenant);
    await world.startNetwork();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

test("a datacenter that is down blocks neither the rest of an update nor a destroy", async () => {
  const world = World.create();
  try {
    const stack = await world.stack("down", inline());
    await stack.up();
    const victim = world.network.datacenters.find(({ region }) => region === "us-west");
    if (victim === undefined) {
      throw new Error("No datacenter in us-west.");
    }
    world.kill(victim.process.pid);
    await stack.destroy();
    const totals = await (await world.client()).totals();
    expect([totals.activeLeases, totals.activeDeployments]).toEqual([0n, 0n]);
    await world.startNetwork();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

const collateral = 5_000_000n;

function withCollateral(program: ReturnType<typeof inline>): ReturnType<typeof inline> {
  const copy = structuredClone(program) as unknown as {
    resources: { shop: { properties: { infrastructures: { east: { resources: Record<string, unknown>[] } } } } };
  };
  for (const group of copy.resources.shop.properties.infrastructures.east.resources) {
    group["collateral"] = "5";
  }
  return copy as unknown as ReturnType<typeof inline>;
}
