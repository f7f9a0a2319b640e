import Docker from "dockerode";
import { leadLife } from "./support/life";
import { inline, thin } from "./support/programs";
import { World } from "./support/world";

jest.setTimeout(600_000);

const socket = process.env["DCX_TEST_CONTAINER_SOCKET"];
if (socket === undefined) {
  process.stderr.write("container.spec.ts is skipped: DCX_TEST_CONTAINER_SOCKET names no container engine\n");
}

(socket === undefined ? describe.skip : describe)("in containers", () => {
  const options = { isolation: "container", environment: { DOCKER_HOST: `unix://${socket}` } } as const;
  const engine = new Docker({ socketPath: socket ?? "" });

  test("one infrastructure, one inline workload and one global connection answer after pulumi up", async () => {
    const world = World.create(options);
    try {
      const stack = await world.stack("thin-container", thin());
      await stack.up();
      const owners = world.network.datacenters.map(({ address }) => address);
      const found = async () => {
        const of = (owner: string) => ({ label: [`dcx.datacenter=${owner}`] });
        const lists = owners.map((owner) => engine.listContainers({ all: true, filters: of(owner) }));
        return (await Promise.all(lists)).flat();
      };
      expect(await found()).toEqual([expect.objectContaining({ State: "running" })]);
      const { url } = await stack.outputs();
      expect(await (await fetch(String(url))).json()).toMatchObject({ greeting: "Hello from api", region: "us-east" });
      expect((await stack.preview()).steps).toEqual([]);
      await stack.destroy();
      await expect(fetch(String(url))).rejects.toThrow();
      expect(await found()).toEqual([]);
    } finally {
      await world.close();
    }
  });

  describe("the life of a deployment", () =>
    leadLife({
      form: "container",
      program: inline,
      workload: (name) => ["shop", `workloads.${name}`],
      world: options,
    }));
});
