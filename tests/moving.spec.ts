import { containers, expectNothingLeft } from "./support/checks";
import { inline, separate } from "./support/programs";
import { World } from "./support/world";

jest.setTimeout(600_000);

test("moving from inline to separate resources and back restarts no container and moves no lease", async () => {
  const world = World.create();
  try {
    const stack = await world.stack("moving", inline());
    await stack.up();
    const [before, { leases }] = [await containers(world), await stack.outputs()];
    expect(Object.keys(before).sort()).toEqual(["api/0", "web/0"]);

    stack.write(separate());
    await stack.up();
    expect(await containers(world)).toEqual(before);
    expect((await stack.outputs())["leases"]).toEqual(leases);
    expect((await stack.preview()).steps).toEqual([]);

    stack.write(inline());
    await stack.up();
    expect(await containers(world)).toEqual(before);
    expect((await stack.outputs())["leases"]).toEqual(leases);
    expect((await stack.preview()).steps).toEqual([]);

    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

test.each([1, 4])("separate resources whose health check needs a connection, at parallelism %d", async (parallel) => {
  const world = World.create();
  try {
    const stack = await world.stack("parallel", separate());
    await stack.up({ parallel });
    expect((await stack.preview()).steps).toEqual([]);
    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});
