import { ModelNetwork } from "../network/model/model-network";
import { activeDeployments, parallelisms, theDeployment, twoRegions } from "../testing/model-world";
import { inline, type Program, separate, workload } from "../testing/program";
import { Stack } from "../testing/stack";

const shape = { workloads: 4, connections: 4 };

describe.each(parallelisms)("done means done at parallelism %d", (parallel) => {
  it("inline: every lease is active, every holder has confirmed the manifest, every connection has its address", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    expect((await stack.up(inline(shape))).failures).toEqual({});
    const { version, infrastructures } = theDeployment(network);
    for (const { lease } of Object.values(infrastructures)) {
      expect(network.holders.get(lease?.datacenter ?? "")?.manifests.has(version)).toBe(true);
    }
    expect(stack.kept.get("shop")?.outputs).toMatchObject({
      leases: { west: { state: "active" }, east: { state: "active" } },
      addresses: { c1: expect.stringContaining("http://"), c2: "w3:8080", c3: "w4:8080", c4: "w1:8080" },
    });
  });

  it("separate: no wait depends on a resource that the engine may not have begun", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    const began = Date.now();
    expect((await stack.up(separate(shape))).failures).toEqual({});
    // Nobody was told after a while in which nothing was done.
    expect(Date.now() - began).toBeLessThan(25_000);
    expect(stack.kept.get("w1")?.outputs["state"]).toBe("running");
  });

  it.each<[string, (more: { readonly timeout: number }) => Program]>([
    ["inline", () => inline(shape)],
    ["separate", () => separate(shape)],
  ])("or fails with what is missing, and what there is is kept: %s", async (_form, form) => {
    const network = twoRegions();
    for (const holder of network.holders.values()) {
      holder.broken = "exit code 7";
    }
    const stack = new Stack(network, { parallel, settings: { timeout: 1 } });
    const program = form({ timeout: 1 });
    const { failures } = await stack.up(program);
    expect(Object.values(failures).join()).toMatch(
      /w\d: 0 of 1 (ready|started); instance 1 exit code 7 \(log: dcx logs/,
    );
    expect(stack.kept.get("shop")?.id).toBe("dcx-model/dcx1tenant/1");
    for (const holder of network.holders.values()) {
      holder.broken = undefined;
    }
    expect((await stack.up(program)).failures).toEqual({});
    expect((await stack.preview(program)).steps).toEqual([]);
  });

  it("skipAwait ends once the transaction is in a block", async () => {
    const network = new ModelNetwork();
    const stack = new Stack(network, { parallel, settings: { skipAwait: true } });
    // Nobody has bid, and nobody will: connections find their workloads all the same.
    expect((await stack.up(separate(shape))).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(8);
  });

  it("one dead datacenter holds up neither what does not touch it nor a destroy", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    const program = separate({ workloads: 3, connections: 0 });
    expect((await stack.up(program)).failures).toEqual({});
    const tide = network.holders.get("tide");
    if (tide === undefined) {
      throw new Error("There is no tide.");
    }
    tide.up = false;
    const more = { ...program, other: workload("shop", { infrastructure: "west", container: "web:1" }) };
    expect((await stack.up(more)).failures).toEqual({});
    expect(stack.kept.get("other")?.outputs["state"]).toBe("running");
    const { failures: left, said } = await stack.destroy();
    expect(left).toEqual({});
    expect(said).toMatch(/datacenter tide has not confirmed that it stopped everything/);
    expect(activeDeployments(network)).toEqual([]);
  });
});
