import { parallelisms, theDeployment, twoRegions } from "../testing/model-world";
import { capacity, type Declared, deployment, inline, type Program, separate, workload } from "../testing/program";
import { Stack } from "../testing/stack";

const shape = { workloads: 4, connections: 4 };

describe.each(parallelisms)("ownership at parallelism %d", (parallel) => {
  /** A stack that knows the deployment by its id alone. */
  const onto = (id: string, entries: Readonly<Record<string, Declared>>): Program =>
    Object.fromEntries(
      Object.entries(entries).map(([name, one]) => [
        name,
        { ...one, after: [], inputs: () => one.inputs(() => ({ id, outputs: {} })) },
      ]),
    );

  it("a name that another stack declares is refused, naming both; other names live beside it", async () => {
    const network = twoRegions();
    const mine = new Stack(network, { parallel });
    await mine.up(separate(shape));
    const id = String(mine.kept.get("shop")?.id);
    const theirs = new Stack(network, { parallel, name: "other" });
    const entry = workload("shop", { infrastructure: "west", container: "web:9" });
    const { failures } = await theirs.up(onto(id, { w1: entry }));
    expect(failures["w1"]).toMatch(/workloads\/w1 of deployment .* is declared by another stack, so urn:.*::w1 can't/);
    expect((await theirs.up(onto(id, { w9: entry }))).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(9);
    // Each stack sees its own and deletes its own.
    expect((await mine.preview(separate(shape))).steps).toEqual([]);
    expect((await theirs.destroy()).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(8);
    expect((await mine.preview(separate(shape))).steps).toEqual([]);
  });

  it("two resources of one stack can't declare one name", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    const entry = (image: string): Declared =>
      workload("shop", { name: "same", infrastructure: "west", container: image });
    const { failures } = await stack.up({ shop: deployment(capacity()), one: entry("web:1"), two: entry("web:2") });
    expect(Object.keys(failures)).toHaveLength(1);
    expect(Object.values(failures).join()).toMatch(/workloads\/same of deployment .* is declared by urn:.*, so urn:/);
    expect(theDeployment(network).manifestEntries).toBe(1);
  });

  it("a delete removes an entry only while its nonce is its own", async () => {
    const network = twoRegions();
    const old = new Stack(network, { parallel });
    await old.up(separate(shape));
    // The same stack elsewhere changes all of them; the old state is a copy that nobody updated.
    const now = new Stack(network, { parallel });
    for (const [name, kept] of old.kept) {
      now.kept.set(name, kept);
    }
    expect((await now.up(separate({ ...shape, image: "web:2" }))).failures).toEqual({});
    const { shop } = separate(shape);
    if (shop === undefined) {
      throw new Error("There is no deployment.");
    }
    expect((await old.up({ shop })).failures).toEqual({});
    expect(Object.keys(JSON.parse(manifestOf(network)).workloads)).toEqual(["w1", "w2", "w3", "w4"]);
  });

  it("moving between inline and separate needs no lease, no transaction, and stops nothing", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    expect((await stack.up(inline(shape))).failures).toEqual({});
    const { version } = theDeployment(network);
    const sent = network.transactions.length;
    expect((await stack.up(separate(shape))).failures).toEqual({});
    expect((await stack.preview(separate(shape))).steps).toEqual([]);
    expect((await stack.up(inline(shape))).failures).toEqual({});
    expect((await stack.preview(inline(shape))).steps).toEqual([]);
    expect(theDeployment(network).version).toBe(version);
    expect(network.transactions).toHaveLength(sent);
  });

  it("unset leaves entries alone, {} empties them, and what nobody declares shows as drift", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    await stack.up(inline(shape));
    const unset = { shop: deployment(capacity(4)) };
    expect((await stack.up(unset)).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(8);
    const emptied = { shop: deployment({ ...capacity(4), workloads: {}, connections: {} }) };
    // Entries that nobody owns any more are what an inline declaration differs in.
    expect((await stack.preview(emptied)).steps.map(({ name }) => name)).toEqual(["shop"]);
    expect((await stack.up(emptied)).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(0);
  });
});

function manifestOf(network: ReturnType<typeof twoRegions>): string {
  const { version } = theDeployment(network);
  for (const { manifests } of network.holders.values()) {
    const envelope = manifests.get(version);
    if (envelope !== undefined) {
      return envelope.manifest;
    }
  }
  throw new Error("No holder has the manifest.");
}
