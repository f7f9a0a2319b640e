import { thin } from "./support/programs";
import { World } from "./support/world";

jest.setTimeout(300_000);

test("one infrastructure, one inline workload and one global connection answer after pulumi up", async () => {
  const world = World.create();
  try {
    const stack = await world.stack("thin", thin());
    await stack.up();
    const { url } = await stack.outputs();
    const response = await fetch(String(url));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ greeting: "Hello from api", region: "us-east" });

    expect((await stack.preview()).steps).toEqual([]);
    await stack.destroy();
    await expect(fetch(String(url))).rejects.toThrow();
  } finally {
    await world.close();
  }
});
