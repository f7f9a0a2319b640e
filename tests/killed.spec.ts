import { ask, containers, expectNothingLeft } from "./support/checks";
import { inline } from "./support/programs";
import { eventually, World } from "./support/world";

jest.setTimeout(600_000);

describe("killed in the middle", () => {
  test.each([
    ["the engine and the plugin", (world: World) => world.killProgram(/pulumi( |-resource-dcx|.*provider\.cjs)/)],
    ["the plugin", (world: World) => world.killProgram(/pulumi-resource-dcx|provider\.cjs/)],
  ])("%s during a create: one more up ends with one deployment", async (_what, kill) => {
    const world = World.create();
    try {
      await world.startNetwork();
      const stack = await world.stack("killed", inline());
      const client = await world.client();
      const up = stack.up().then(
        () => "done",
        () => "failed",
      );
      await eventually(
        "the deployment is on the chain",
        60_000,
        async () => (await client.totals()).activeDeployments === 1n,
      );
      kill(world);
      expect(await up).toBe("failed");
      await stack.cancel().catch(() => undefined);
      await stack.up();
      expect((await client.totals()).activeDeployments).toBe(1n);
      expect(await ask((await stack.outputs())["url"])).toMatchObject({ api: { greeting: "Hello from api" } });
      expect((await stack.preview()).steps).toEqual([]);
      await stack.destroy();
      await expectNothingLeft(world);
    } finally {
      await world.close();
    }
  });

  test("the node and the agents, while everything runs: no workload is lost or restarted", async () => {
    const world = World.create();
    try {
      const stack = await world.stack("restarted", inline());
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
      await eventually("the application answers again", 30_000, async () => (await ask(url)).api !== undefined);
      expect(await containers(world)).toEqual(before);
      await stack.up();
      expect(await containers(world)).toEqual(before);
      await stack.destroy();
      await expectNothingLeft(world);
    } finally {
      await world.close();
    }
  });
});
