import { NetworkError } from "../../provider/src/network/driver";
import { activeDeployments, kinds, theDeployment } from "../../provider/src/testing/model-world";
import { inline, separate, workload } from "../../provider/src/testing/program";
import { Secret } from "../../provider/src/wire/value";
import { failureOf } from "../support/attached";
import { attached, one, small, unfinished } from "./engine";

// What the real engine has a part in; provider/src/pitfalls asks the plugin the same over gRPC, and what only it shows.

jest.setTimeout(300_000);

test("pitfall 1.3.3: the engine's Cancel at each end says nothing, and the same process serves the next session", () =>
  attached(async ({ stack }) => {
    const outcomes = [await stack.preview(inline(small)), await stack.up(inline(small)), await stack.refresh()];
    expect((await stack.up(inline(small))).steps).toEqual([]);
    expect(outcomes.map(({ text }) => text).join("\n")).not.toMatch(/cancel|prematurely/i);
    // That one which is cancelled in earnest ends no other: pitfall 3.11.
  }));

test("pitfall 1.3.4: what the engine prints of a refused property is no secret", () =>
  attached(async ({ stack }) => {
    const said = await failureOf(stack.up(one({ environment: { "no name": new Secret("planted") } })));
    expect(said).toMatch(/workloads\.w1\.environment.* is not a name/);
    expect(said).not.toContain("planted");
  }));

test("pitfall 1.3.8: what failed is known: nothing is left pending, and the next up goes on without a warning", () =>
  attached(async ({ network, stack }) => {
    network.beforeExecution = () => {
      throw new NetworkError("refused", "transaction ABC was refused (code 5): out of gas");
    };
    expect(await failureOf(stack.up(inline(small)))).toContain("transaction ABC");
    expect(await unfinished(stack)).toEqual({ pending: 0, failed: [] });
    network.beforeExecution = () => {};
    const { text } = await stack.up(inline(small));
    expect(text).not.toMatch(/pending|interrupted|unknown state/i);
    expect(network.deployments.size).toBe(1);
  }));

test("pitfall 1.3.9: a failed initialization is kept with its reasons, and resumed without another transaction", () =>
  attached(
    async ({ network, stack }) => {
      network.addDatacenter("sierra", "us-west");
      expect(await failureOf(stack.up(inline(small)))).toMatch(/no lease for infrastructure "east"/);
      expect(await unfinished(stack)).toEqual({ pending: 0, failed: ["shop"] });
      network.addDatacenter("tide", "us-east");
      const { steps } = await stack.up(inline(small));
      expect(steps.map(({ operation, diffs }) => [operation, diffs])).toEqual([["update", []]]);
      expect(kinds(network)).toEqual(["submit-deployment"]);
      expect(await unfinished(stack)).toEqual({ pending: 0, failed: [] });
    },
    { timeout: 2, datacenters: false },
  ));

test("pitfall 1.3.14: a program that moves to an explicit provider replaces nothing", () =>
  attached(async ({ network, stack }) => {
    const { resources } = stack.yaml(inline(small));
    await stack.up(inline(small));
    const shop = resources["shop"] as object;
    const explicit = { type: "pulumi:providers:dcx", properties: { network: "embedded" } };
    stack.stack.write({
      resources: { own: explicit, shop: { ...shop, options: { provider: "${own}" } } },
    });
    expect((await stack.stack.preview()).steps.filter(({ name }) => name === "shop")).toEqual([]);
    await stack.stack.up();
    expect(kinds(network)).toEqual(["submit-deployment"]);
    expect((await stack.stack.preview()).steps).toEqual([]);
  }));

test("pitfall 1.3.15: a project's autonaming changes no name of dcx's", () =>
  attached(async ({ stack }) => {
    await stack.up(separate(small));
    const set = stack.stack.run("config", "set", "--path", "pulumi:autonaming.pattern", "acme-${name}-${hex(4)}");
    expect(set).toMatchObject({ status: 0 });
    expect((await stack.preview(separate(small))).steps).toEqual([]);
    const more = { ...separate(small), w3: workload("shop", { infrastructure: "west", container: "web:1" }) };
    await stack.up(more);
    expect((await stack.kept()).get("w3")).toMatchObject({ name: "w3" });
    expect((await stack.preview(more)).steps).toEqual([]);
  }));

test("pitfall 1.3.17: a plain preview sees what happened behind the engine's back, and a plain up heals it", () =>
  attached(async ({ network, stack }) => {
    const program = inline(small);
    await stack.up(program);
    network.breakLease(theDeployment(network), "west");
    expect((await stack.preview(program)).steps).toContainEqual(
      expect.objectContaining({ name: "shop", operation: "update", diffs: ["infrastructures.west"] }),
    );
    await stack.up(program);
    expect((await stack.preview(program)).steps).toEqual([]);
    // Gone altogether: it is made again.
    network.change(theDeployment(network), (now) => ({ ...now, active: false, infrastructures: {} }));
    expect((await stack.preview(program)).steps.map(({ operation }) => operation)).toContain("create");
    await stack.up(program);
    expect(activeDeployments(network)).toHaveLength(1);
    expect((await stack.preview(program)).steps).toEqual([]);
  }));

test("pitfall 1.3.10: a create whose answer never came is found again by the next up, and taken over", () =>
  attached(async ({ network, stack }) => {
    const submit = network.submit.bind(network);
    network.submit = async (...args) => {
      network.submit = submit;
      await submit(...args);
      stack.killEngine();
      return new Promise(() => {});
    };
    await expect(stack.up(inline(small))).rejects.toThrow();
    await stack.stack.cancel();
    expect((await stack.up(inline(small))).diagnostics).toContain("taking it over");
    expect(network.deployments.size).toBe(1);
  }));
