import { containers, expectNothingLeft } from "./support/checks";
import { inline, separate } from "./support/programs";
import type { Program, Stack } from "./support/stack";
import { World } from "./support/world";

jest.setTimeout(600_000);

/** The program with each resource imported from what another stack made under the same name. */
function importing(
  program: Program,
  made: readonly { readonly urn: string; readonly id?: string }[],
  { imported }: { readonly imported: boolean },
): Program {
  const id = (name: string): string | undefined => made.find(({ urn }) => urn.endsWith(`::${name}`))?.id;
  return {
    ...program,
    resources: Object.fromEntries(
      Object.entries(program.resources as Record<string, { properties: Record<string, unknown> }>).map(
        ([name, resource]) => [
          name,
          {
            ...resource,
            properties: {
              ...resource.properties,
              // As a person writes who imports: the deployment's id is known.
              ...(resource.properties["deployment"] === undefined ? {} : { deployment: id("shop") }),
            },
            ...(imported ? { options: { import: id(name) } } : {}),
          },
        ],
      ),
    ),
  };
}

/** The first update of the stack that imported takes over; the other one is told, and leaves it running. */
async function expectTakeOver(
  world: World,
  { lost, program }: { readonly lost: Stack; readonly program: Program },
  { stack, kept }: { readonly stack: Stack; readonly kept: Program },
): Promise<void> {
  const running = await containers(world);
  const raised = (whole: Program): Program => JSON.parse(JSON.stringify(whole).replaceAll('"0.40/h"', '"0.45/h"'));
  stack.write(raised(kept));
  const { steps } = await stack.up();
  expect(steps).toEqual([
    {
      name: "shop",
      type: "dcx:index:Deployment",
      operation: "update",
      diffs: ["infrastructures.west.resources[0].maxPrice"],
    },
  ]);
  expect(await containers(world)).toEqual(running);
  lost.write(program);
  await expect(lost.up()).rejects.toThrow(
    /another stack has taken over deployment .*transaction [0-9A-F]{64} at block/,
  );
  await lost.destroy();
  expect(await containers(world)).toEqual(running);
  expect((await stack.preview()).steps).toEqual([]);
}

test.each([
  ["separate", separate],
  ["inline", inline],
])(
  "pitfall 3.8: what one stack made is imported by another without a difference, and is its own then: %s",
  async (name, form) => {
    const world = World.create();
    try {
      const secret = { "fn::secret": "a word of the test" };
      const program = form({ apiEnvironment: { WORD: secret } });
      const lost = await world.stack("lost", program);
      await lost.up();
      const made = await lost.resources();
      const running = await containers(world);

      const stack = await world.stack("found", importing(program, made, { imported: true }));
      const { steps } = await stack.up();
      expect(steps.filter(({ operation }) => operation !== "import")).toEqual([]);
      expect(steps).toHaveLength(Object.keys(program.resources).length);
      const kept = importing(program, made, { imported: false });
      stack.write(kept);
      expect((await stack.preview()).steps).toEqual([]);
      expect(await containers(world)).toEqual(running);
      expect(JSON.stringify(await stack.outputs())).not.toContain("a word of the test");
      if (name === "inline") {
        await expectTakeOver(world, { lost, program }, { stack, kept });
      }

      await stack.destroy();
      await expectNothingLeft(world);
    } finally {
      await world.close();
    }
  },
);
