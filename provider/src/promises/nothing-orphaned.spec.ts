import type { ModelNetwork } from "../network/model/model-network";
import { activeDeployments, kinds, parallelisms, theDeployment, twoRegions } from "../testing/model-world";
import type { Death } from "../testing/mortal";
import { inline, type Program, separate } from "../testing/program";
import { type Outcome, Stack } from "../testing/stack";

jest.setTimeout(120_000);

const ten = { workloads: 4, connections: 5 };
const program = separate(ten);
const changed = separate({ ...ten, image: "web:2" });

/** An operation on a stack that stands, and the program that one more `up` is to bring about. */
interface Case {
  readonly operation: string;
  readonly before: Program | undefined;
  readonly wanted: Program;
  readonly run: (stack: Stack, death: Death) => Promise<Outcome>;
}

const cases: readonly Case[] = [
  { operation: "create", before: undefined, wanted: program, run: (stack, death) => stack.up(program, { death }) },
  { operation: "update", before: program, wanted: changed, run: (stack, death) => stack.up(changed, { death }) },
  {
    operation: "replace",
    before: program,
    wanted: program,
    run: (stack, death) => stack.up(program, { death, replace: ["shop", "w1", "c1"] }),
  },
  { operation: "delete", before: program, wanted: program, run: (stack, death) => stack.destroy({ death }) },
  {
    operation: "create inline",
    before: undefined,
    wanted: inline(ten),
    run: (stack, death) => stack.up(inline(ten), { death }),
  },
  {
    operation: "update inline",
    before: inline(ten),
    wanted: inline({ ...ten, image: "web:2" }),
    run: (stack, death) => stack.up(inline({ ...ten, image: "web:2" }), { death }),
  },
];

/** Deaths that are tried for each case, spread over all calls to the network that it makes, at each parallelism others. */
const POINTS = 4;

describe.each(parallelisms)("nothing is orphaned at parallelism %d", (parallel) => {
  it.each(cases)(
    "whatever call to the network a process dies at in $operation, one more up ends with one deployment",
    async ({ operation, before, wanted, run }) => {
      const standing = async (): Promise<{ readonly network: ModelNetwork; readonly stack: Stack }> => {
        const network = twoRegions();
        const stack = new Stack(network, { parallel });
        if (before !== undefined) {
          expect((await stack.up(before)).failures).toEqual({});
        }
        return { network, stack };
      };
      const clean = await standing();
      const { calls } = await run(clean.stack, { side: "before" });
      expect(calls).toBeGreaterThan(1);
      const points = Array.from(
        { length: POINTS },
        (_, index): Death => ({
          call: 1 + Math.floor(((index + 1 / parallel) * calls) / (POINTS + 1)),
          side: (index + parallel) % 2 === 0 ? "after" : "before",
        }),
      );
      await Promise.all(
        points.map(async (death) => {
          const { network, stack } = await standing();
          await run(stack, death);
          const { failures } = await stack.up(wanted);
          expect({ death, failures }).toEqual({ death, failures: {} });
          const one = theDeployment(network);
          expect({ death, entries: one.manifestEntries }).toEqual({ death, entries: 9 });
          expect({ death, steps: (await stack.preview(wanted)).steps }).toEqual({ death, steps: [] });
          if (operation !== "replace") {
            // A replacement that nobody recorded has raised it, and Read never follows to a newer incarnation.
            expect(stack.kept.get("shop")?.outputs["incarnation"]).toBe(String(one.incarnation));
          }
          expect((await stack.destroy()).failures).toEqual({});
          expect(activeDeployments(network)).toEqual([]);
        }),
      );
    },
  );

  it("adopts what a create that died had made, brings it to its inputs, and raises its incarnation", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    const submit = network.submit.bind(network);
    // It dies between the block and the answer: made, paid for, and nowhere recorded.
    network.submit = async (...args) => {
      network.submit = submit;
      await submit(...args);
      stack.plugin?.kill();
      return new Promise(() => {});
    };
    await stack.up(program);
    expect(stack.kept.size).toBe(0);
    expect(theDeployment(network).incarnation).toBe(1n);
    const { failures, said } = await stack.up(changed);
    expect(failures).toEqual({});
    expect(said).toContain("made by an earlier run that did not record it: taking it over");
    expect(theDeployment(network).incarnation).toBe(2n);
    expect((await stack.preview(changed)).steps).toEqual([]);
  });

  it("never kills the successor when the resource that it replaced is deleted", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    await stack.up(inline(ten));
    const { failures, steps } = await stack.up(inline(ten), { replace: ["shop"] });
    expect(failures).toEqual({});
    expect(steps.map(({ operation }) => operation)).toEqual(["replace", "delete"]);
    expect(theDeployment(network).incarnation).toBe(2n);
    expect(kinds(network)).not.toContain("cancel-deployment");
  });

  it("never kills it either where the process dies between the two, and the next one deletes what was replaced", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    await stack.up(inline(ten));
    // The replacement is recorded, the delete of what it replaced never reaches the network.
    const died = await stack.up(inline(ten), { replace: ["shop"], beforeDeletes: () => stack.plugin?.kill() });
    expect(Object.keys(died.failures)).toEqual(["shop"]);
    expect(stack.replaced).toHaveLength(1);
    expect((await stack.up(inline(ten))).failures).toEqual({});
    expect(stack.replaced).toEqual([]);
    expect(theDeployment(network).incarnation).toBe(2n);
    expect((await stack.preview(inline(ten))).steps).toEqual([]);
    expect((await stack.destroy()).failures).toEqual({});
    expect(activeDeployments(network)).toEqual([]);
  });

  it("forgets nothing that is paid for: a delete of an older state ends a newer one that was never recorded", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    await stack.up(inline(ten));
    // A replacement that died before it was recorded raised the incarnation behind the state's back.
    await stack.up(inline(ten), { replace: ["shop"], death: { call: 9, side: "after" } });
    expect((await stack.destroy()).failures).toEqual({});
    expect(activeDeployments(network)).toEqual([]);
  });
});
