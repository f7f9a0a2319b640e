import { expectNothingLeft } from "./support/checks";
import { inline, separate } from "./support/programs";
import type { Program } from "./support/stack";
import { World } from "./support/world";

jest.setTimeout(600_000);

/** The inline program with one value replaced, by path below `resources.shop.properties`. */
function broken(path: readonly (string | number)[], value: unknown): Program {
  const program = structuredClone(inline()) as { resources: { shop: { properties: unknown } } };
  let place = program.resources.shop.properties as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) {
    place = place[step] as Record<string | number, unknown>;
  }
  const last = path.at(-1);
  if (last === undefined) {
    throw new Error("Nothing to replace.");
  }
  place[last] = value;
  return program as unknown as Program;
}

describe("bad input", () => {
  let world: World;
  beforeAll(async () => {
    world = World.create();
    await world.startNetwork();
  });
  afterAll(async () => world.close());

  test.each([
    ["a negative price", broken(["infrastructures", "west", "resources", 0, "maxPrice"], "-1/h"), "maxPrice"],
    ["an unknown name", broken(["connections", "public", "to"], "nobody"), "nobody"],
    ["infrastructure that does not exist", broken(["workloads", "api", "infrastructure"], "north"), "north"],
    ["port 70000", broken(["workloads", "api", "ports"], [70000]), "ports"],
    ["a malformed image", broken(["workloads", "api", "container"], "Not An Image"), "container"],
    ["a workload that fits no slot", broken(["workloads", "api", "compute"], { memory: "64Gi" }), "api"],
    ["a cost above maxCostPerMonth", broken(["maxCostPerMonth"], "0.01"), "maxCostPerMonth"],
  ])("%s is refused before any transaction, naming it", async (_what, program, named) => {
    const stack = await world.stack(`bad-${named}`, program);
    const client = await world.client();
    const tenant = JSON.parse(await world.dcx("query", "account", await tenantOf(world)));
    await expect(stack.up()).rejects.toThrow(new RegExp(named));
    const after = await client.account(await tenantOf(world));
    expect(after?.sequence.toString()).toBe(tenant.sequence);
    await stack.destroy();
    await expectNothingLeft(world);
  });

  test("a connection to a workload that never comes fails at its timeout, naming it", async () => {
    const program = separate();
    const resources = { ...program.resources };
    delete resources["web"];
    delete resources["webToApi"];
    const open = resources["public"] as { properties: Record<string, unknown> };
    const properties = { ...open.properties, to: "web" };
    const stack = await world.stack("waiting", {
      ...program,
      resources: { ...resources, public: { ...open, properties, options: { customTimeouts: { create: "5s" } } } },
    });
    await expect(stack.up()).rejects.toThrow(/"?web"?/);
    await stack.destroy();
    await expectNothingLeft(world);
  });

  test("an order nobody can fill fails with the datacenters' reasons; the next up resumes; destroy cleans up", async () => {
    const withTimeout = (program: Program): Program => {
      const shop = program.resources["shop"] as Record<string, unknown>;
      return {
        ...program,
        resources: {
          ...program.resources,
          shop: { ...shop, options: { customTimeouts: { create: "8s", update: "60s" } } },
        },
      };
    };
    const stack = await world.stack("unfillable", withTimeout(inline({ eastRegion: "mars", westPrice: "0.00001/h" })));
    const failure = await stack.up().then(
      () => "",
      (error: unknown) => String(error),
    );
    expect(failure).toMatch(/no lease for infrastructure "?east"?/);
    expect(failure).toMatch(/region/);
    expect(failure).toMatch(/asks? .*\/h/);
    expect((await stack.resources()).some(({ urn }) => urn.endsWith("::shop"))).toBe(true);

    stack.write(withTimeout(inline()));
    await stack.up();
    expect((await stack.preview()).steps).toEqual([]);
    await stack.destroy();
    await expectNothingLeft(world);
  });
});

test("an order that no datacenter has room for fails with what is short", async () => {
  const world = World.create();
  try {
    // Not within the time that the deployment has.
    await world.startNetwork();
    const program = inline({ eastMemory: "900Ti" });
    const shop = program.resources["shop"] as Record<string, unknown>;
    const stack = await world.stack("capacity", {
      ...program,
      resources: { shop: { ...shop, options: { customTimeouts: { create: "8s" } } } },
    });
    await expect(stack.up()).rejects.toThrow(/no lease for infrastructure "?east"?[\s\S]*not enough free memory/);
    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

async function tenantOf(world: World): Promise<string> {
  const { readKeyFile } = await import("@dcx/protocol");
  return readKeyFile(world.paths.tenantKey).address;
}

test("with CI set and nothing configured nothing starts", async () => {
  const world = World.create({ environment: { CI: "true", DCX_NETWORK: "" } });
  try {
    const stack = await world.stack("ci", { ...inline(), config: {} });
    await expect(stack.up()).rejects.toThrow(/network/);
    expect(world.processes()).toEqual([]);
  } finally {
    await world.close();
  }
});
