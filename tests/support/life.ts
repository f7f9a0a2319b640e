import { LeaseState } from "@dcx/protocol";
import { ask, askContinuously, containers, expectNothingLeft, expectTokensToAddUp } from "./checks";
import { type Footprint, footprint } from "./footprint";
import type { inline } from "./programs";
import { eventually, World, type WorldOptions } from "./world";

export interface Life {
  readonly form: string;
  readonly program: typeof inline;
  /** Resource that holds a workload, and where in its properties. */
  readonly workload: (name: string) => readonly [resource: string, prefix: string];
  readonly world?: WorldOptions;
}

/** Tests that lead a deployment of the two-tier application through all that can happen to it. */
export function leadLife({ form, program, workload, world: options }: Life): void {
  let world: World;
  let stack: Awaited<ReturnType<World["stack"]>>;
  let untouched: Footprint;

  beforeAll(async () => {
    world = World.create(options);
    await world.startNetwork();
    untouched = await footprint(world);
    stack = await world.stack(`life-${form}`, program());
  });
  afterAll(async () => world.close());

  const change = async (
    options: Parameters<typeof program>[0],
    resource: string,
    path: string,
    transaction: string,
  ): Promise<void> => {
    stack.write(program(options));
    const preview = await stack.preview();
    expect(preview.steps).toEqual([expect.objectContaining({ name: resource, operation: "update", diffs: [path] })]);
    expect(preview.diagnostics).toContain(transaction);
    const up = await stack.up();
    // That nothing more is to be done is seen by the next preview: that of the next change shows that one alone.
    expect(up.steps.map(({ name, operation }) => [name, operation])).toEqual([[resource, "update"]]);
  };
  const path = (name: string, field: string): readonly [resource: string, path: string] => {
    const [resource, prefix] = workload(name);
    return [resource, prefix === "" ? field : `${prefix}.${field}`];
  };

  test("create: the answer comes through api", async () => {
    await stack.up();
    const { url } = await stack.outputs();
    expect(await ask(url)).toMatchObject({ region: "us-west", api: { region: "us-east", greeting: "Hello from api" } });
    await expectTokensToAddUp(world);
  });

  test("preview and refresh show no change, also after a while", async () => {
    expect((await stack.preview()).steps).toEqual([]);
    const client = await world.client();
    const confirmations = async (): Promise<readonly bigint[]> =>
      (await client.leases({ state: LeaseState.ACTIVE })).leases.map(({ lastConfirmedHeight }) => lastConfirmedHeight);
    const before = await confirmations();
    // Rent and interest are paid, and heights move, with every confirmation: none of it is a change.
    await eventually("each lease is confirmed again", 120_000, async () =>
      (await confirmations()).every((height, index) => height > (before[index] ?? height)),
    );
    expect((await stack.preview()).steps).toEqual([]);
    expect((await stack.refresh()).steps.filter(({ operation }) => operation !== "refresh")).toEqual([]);
    expect((await stack.preview()).steps).toEqual([]);
  });

  test("a change of an image restarts only that workload and moves no lease", async () => {
    const before = await containers(world);
    const leases = (await stack.outputs())["leases"];
    const asking = askContinuously((await stack.outputs())["url"]);
    await change({ apiImage: "dcx.example/two-tier-api:1.1" }, ...path("api", "container"), "UpdateDeployment").finally(
      async () => expect((await asking.stop()).failures).toEqual([]),
    );
    expect((await ask((await stack.outputs())["url"])).api?.greeting).toBe("Good day from api");
    const after = await containers(world);
    expect(after["web/0"]).toBe(before["web/0"]);
    expect(after["api/0"]).not.toBe(before["api/0"]);
    expect((await stack.outputs())["leases"]).toEqual(leases);
  });

  test("a change of an environment variable", async () => {
    const options = { apiImage: "dcx.example/two-tier-api:1.1", apiEnvironment: { GREETING: "Hello again" } };
    await change(options, ...path("api", "environment"), "UpdateDeployment");
    expect((await ask((await stack.outputs())["url"])).api?.greeting).toBe("Hello again");
  });

  test("a change of a count", async () => {
    const options = {
      apiImage: "dcx.example/two-tier-api:1.1",
      apiEnvironment: { GREETING: "Hello again" },
      webCount: 2,
    };
    await change(options, ...path("web", "count"), "UpdateDeployment");
    expect(Object.keys(await containers(world)).sort()).toEqual(["api/0", "web/0", "web/1"]);
  });

  test("a higher maximum price changes in place", async () => {
    const leases = (await stack.outputs())["leases"];
    const options = {
      apiImage: "dcx.example/two-tier-api:1.1",
      apiEnvironment: { GREETING: "Hello again" },
      webCount: 2,
      westPrice: "0.55/h",
    };
    await change(options, "shop", "infrastructures.west.resources[0].maxPrice", "UpdateDeployment");
    expect((await stack.outputs())["leases"]).toEqual(leases);
  });

  test("more memory moves one lease, which serves until its successor does", async () => {
    const { url } = await stack.outputs();
    const asking = askContinuously(url);
    const options = {
      apiImage: "dcx.example/two-tier-api:1.1",
      apiEnvironment: { GREETING: "Hello again" },
      webCount: 2,
      westPrice: "0.55/h",
      eastMemory: "256Mi",
    };
    await change(options, "shop", "infrastructures.east.resources[0].memory", "UpdateDeployment");
    const { asked, failures } = await asking.stop();
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    expect((await stack.preview()).steps).toEqual([]);
    await expectTokensToAddUp(world);
  });

  test("destroy leaves no order, lease, process, container, port or file behind", async () => {
    expect(await footprint(world)).not.toEqual(untouched);
    await stack.destroy();
    await expectNothingLeft(world);
    expect(await footprint(world)).toEqual(untouched);
  });
}
