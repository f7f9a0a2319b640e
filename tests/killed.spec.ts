import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, containers, expectNothingLeft } from "./support/checks";
import { inline } from "./support/programs";
import type { Stack } from "./support/stack";
import { eventually, World } from "./support/world";

jest.setTimeout(600_000);

/** What is killed, and how. With the engine its language host, which would stay for ever. */
const victims: readonly (readonly [what: string, kill: (world: World) => void])[] = [
  ["the engine and the plugin", (world) => world.killProgram(/\bpulumi\b|dist\/bundle\/provider/)],
  ["the plugin", (world) => world.killProgram(/dist\/bundle\/provider/)],
  ["the node", (world) => world.kill(world.network.node.pid)],
  [
    "both agents",
    (world) => {
      for (const { process } of world.network.datacenters) {
        world.kill(process.pid);
      }
    },
  ],
];

describe("killed in the middle", () => {
  let world: World;
  let stack: Stack;

  beforeAll(async () => {
    world = World.create({ blockInterval: 200 });
    await world.startNetwork();
    stack = await world.stack("killed", inline());
  });
  afterAll(async () => world.close());

  // One life for each victim, on one network: a test begins with what the one before it left.
  describe.each(victims)("%s", (_what, kill) => {
    test("during a create: one more up ends with one deployment", async () => {
      stack.write(inline());
      const client = await world.client();
      await interrupt(world, stack, kill, "the deployment is on the chain", async () => {
        return (await client.totals()).activeDeployments === 1n;
      });
      await stack.up();
      expect((await client.totals()).activeDeployments).toBe(1n);
      expect(await ask((await stack.outputs())["url"])).toMatchObject({ api: { greeting: "Hello from api" } });
      expect((await stack.preview()).steps).toEqual([]);
    });

    test("between staging and activation: no workload is lost or needlessly stopped", async () => {
      const before = await containers(world);
      const client = await world.client();
      const staged = timesStaged(world);
      stack.write(inline({ apiImage: "dcx.example/two-tier-api:1.1" }));
      await interrupt(world, stack, kill, "the candidate is staged", async () => timesStaged(world) > staged);
      await stack.up();
      expect((await client.totals()).activeDeployments).toBe(1n);
      expect(await ask((await stack.outputs())["url"])).toMatchObject({ api: { greeting: "Good day from api" } });
      const after = await containers(world);
      expect(Object.keys(after).sort()).toEqual(["api/0", "web/0"]);
      expect(after["web/0"]).toBe(before["web/0"]);
      expect((await stack.preview()).steps).toEqual([]);
    });

    test("and a destroy leaves nothing behind", async () => {
      await stack.destroy();
      await expectNothingLeft(world);
    });
  });

  test("the node and the agents, while everything runs: no workload is lost or restarted", async () => {
    stack.write(inline());
    await stack.up();
    const before = await containers(world);
    const { url } = await stack.outputs();
    world.kill(world.network.node.pid);
    await world.startNetwork();
    expect((await stack.preview()).steps).toEqual([]);
    for (const { process } of world.network.datacenters) {
      world.kill(process.pid);
    }
    await world.startNetwork();
    await eventually("the application answers again", 120_000, async () => (await ask(url)).api !== undefined);
    expect(await containers(world)).toEqual(before);
    await stack.up();
    expect(await containers(world)).toEqual(before);
  });

  test("a forced replacement never ends with a live deployment cancelled", async () => {
    const client = await world.client();
    const urn = (await stack.resources()).find((one) => one.urn.endsWith("::shop"))?.urn;
    if (urn === undefined) {
      throw new Error("The state holds no deployment.");
    }
    await stack.up({ replace: [urn] });
    expect((await client.totals()).activeDeployments).toBe(1n);
    expect(await ask((await stack.outputs())["url"])).toMatchObject({ api: { greeting: "Hello from api" } });
    expect((await stack.preview()).steps).toEqual([]);
    await stack.destroy();
    await expectNothingLeft(world);
  });
});

/** Begins an up, kills once `moment` has come, and brings back what was killed. */
async function interrupt(
  world: World,
  stack: Stack,
  kill: (world: World) => void,
  what: string,
  moment: () => Promise<boolean>,
): Promise<void> {
  const up = stack.up().then(
    () => "done",
    () => "failed",
  );
  await eventually(what, 120_000, moment);
  kill(world);
  await world.startNetwork();
  // It may go on where what was killed came back in time.
  await up;
  await stack.cancel().catch(() => undefined);
}

/** How often the agents have taken a candidate. */
function timesStaged(world: World): number {
  return world.network.datacenters
    .map(({ name }) => readFileSync(join(world.paths.logs, `${name}.log`), "utf8").split("manifest staged").length - 1)
    .reduce((sum, count) => sum + count, 0);
}
