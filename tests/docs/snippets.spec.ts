import { existsSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { readDatacenterConfiguration } from "../../datacenter/src/configuration";
import { parseApplicationFile } from "../../provider/src/application-file";
import { root } from "../support/root";
import { World } from "../support/world";
import { chains, type Fence, fencesOf, pages, placeOf } from "./fences";
import { commandErrors } from "./shell-fences";
import { typeErrors } from "./typescript-fences";
import { mergePrograms, programOf, readYaml } from "./yaml-fences";

jest.setTimeout(300_000);

/** Every block that the documentation shows is right: what is a program, a command or a file is checked as such. */

const all = pages().flatMap(({ page, markdown }) => fencesOf(page, markdown));
const typescript = ["ts", "typescript"];
const shell = ["sh", "bash", "console"];
const prose = ["", "text"];
const checked = [...typescript, ...shell, ...prose, "yaml", "json"];

const OtherYaml = z.looseObject({ variables: z.record(z.string(), z.unknown()).optional() });

/** What is wrong with YAML that is no program: a configuration of a datacenter, or an application file. */
function otherYaml(fence: Fence): string | undefined {
  const value = OtherYaml.safeParse(readYaml(fence)).data ?? {};
  try {
    if ("chain" in value && "capacity" in value) {
      readDatacenterConfiguration(fence.text, placeOf(fence));
      return undefined;
    }
    if ("infrastructures" in value) {
      const variables = Object.fromEntries(neededBy(fence.text).map((name) => [name, "given"]));
      parseApplicationFile(fence.text, { file: placeOf(fence), variables });
      return undefined;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return `${placeOf(fence)}: nothing knows how to check this YAML; write "unchecked: <reason>" after the language`;
}

/** Variables of an application file that whoever uses it has to give. */
function neededBy(file: string): readonly string[] {
  const { variables = {} } = OtherYaml.parse(parse(file));
  return Object.entries(variables).flatMap(([name, byDefault]) => (byDefault === null ? [name] : []));
}

/** The application files that a page shows, by the name under which a program of that page refers to one. */
function filesOf(blocks: readonly (readonly Fence[])[]): readonly (readonly [name: string, text: string])[] {
  return blocks.flat().flatMap((program) => {
    const name = /^ *file: *([\w-]+\.yaml)(?: +#.*)?$/m.exec(program.text)?.[1];
    const file = all.find(({ page, language, text }) => {
      return page === program.page && language === "yaml" && /^infrastructures:/m.test(text);
    });
    return name === undefined || file === undefined ? [] : [[name, file.text] as const];
  });
}

/**
 * What the engine says to a preview of all these programs at once; undefined: nothing is wrong.
 * @param files lie beside the program
 */
async function previewOf(
  blocks: readonly (readonly Fence[])[],
  files: readonly (readonly [name: string, text: string])[] = [],
): Promise<string | undefined> {
  const programs = blocks.flatMap((block) => {
    const program = programOf(block);
    const last = block.at(-1);
    return program === undefined || last === undefined
      ? []
      : [[`${last.page.replaceAll(/[^a-z]+/gi, "-")}-${last.line}`, program] as const];
  });
  const world = World.create();
  try {
    const stack = await world.stack("snippets", mergePrograms(Object.fromEntries(programs)));
    for (const [name, text] of files) {
      writeFileSync(join(stack.directory, name), text);
      await stack.configure(Object.fromEntries(neededBy(text).map((variable) => [variable, { value: "given" }])));
    }
    await stack.preview();
    return undefined;
  } catch (error) {
    // What follows is the same again, with all that the engine logged.
    return (error instanceof Error ? error.message : String(error)).split("\n err?:")[0];
  } finally {
    await world.close();
  }
}

describe("every block of the documentation", () => {
  test("is of a language that is checked, or says why it is not", () => {
    const unknown = all.filter(({ language, unchecked }) => unchecked === undefined && !checked.includes(language));
    expect(unknown.map((fence) => `${placeOf(fence)}: ${fence.language}`)).toEqual([]);
    expect(all.filter(({ unchecked }) => unchecked !== undefined && unchecked.length < 10).map(placeOf)).toEqual([]);
    const hidden = all.filter(
      ({ language, text }) => prose.includes(language) && /^\$? ?(dcx|pulumi|npm|npx) /m.test(text),
    );
    expect(hidden.map((fence) => `${placeOf(fence)}: holds commands and is not marked as sh`)).toEqual([]);
  });

  test("in TypeScript has right types", () => {
    expect(typeErrors(chains(all, typescript))).toEqual([]);
  });

  test("in YAML is a program that the engine previews, or a configuration that its reader accepts", async () => {
    const blocks = chains(all, ["yaml"]);
    expect(
      blocks
        .filter((block) => programOf(block) === undefined)
        .flatMap((block) => block.flatMap((one) => otherYaml(one) ?? [])),
    ).toEqual([]);
    expect(await previewOf(blocks, filesOf(blocks))).toBeUndefined();
  });

  test("of commands names commands, flags, scripts and files that there are", async () => {
    expect(
      await commandErrors(all.filter(({ language, unchecked }) => shell.includes(language) && unchecked === undefined)),
    ).toEqual([]);
  });

  test("in JSON parses", () => {
    const broken = chains(all, ["json"])
      .flat()
      .flatMap((fence) => {
        try {
          JSON.parse(fence.text);
          return [];
        } catch (error) {
          return [`${placeOf(fence)}: ${String(error)}`];
        }
      });
    expect(broken).toEqual([]);
  });

  test("and every link of a page leads to a file and a heading that there are", () => {
    const headings = new Map(pages().map(({ page, markdown }) => [page, anchorsOf(markdown)]));
    const broken = pages().flatMap(({ page, markdown }) =>
      [...markdown.replaceAll(/^ *(```+)[\s\S]*?^ *\1 *$/gm, "").matchAll(/\]\(([^)\s]+)\)/g)].flatMap(
        ([, link = ""]) => {
          if (/^[a-z]+:/.test(link)) {
            return [];
          }
          const [path = "", anchor] = link.split("#");
          const target = path === "" ? page : normalize(join(dirname(page), path));
          const known = headings.get(target);
          const wrong = anchor !== undefined && known !== undefined && !known.has(anchor);
          return existsSync(join(root, target)) && !wrong ? [] : [`${page}: ${link}`];
        },
      ),
    );
    expect(broken).toEqual([]);
  });
});

test("every page of docs/ is in its index", () => {
  const index = pages().find(({ page }) => page === "docs/README.md")?.markdown ?? "";
  // Those with a front matter are for the registry.
  const paths = pages().flatMap(({ page, markdown }) =>
    page.startsWith("docs/") && !markdown.startsWith("---\n") ? [page.slice("docs/".length)] : [],
  );
  expect(paths.filter((path) => path !== "README.md" && !index.includes(`](${path})`))).toEqual([]);
});

function anchorsOf(markdown: string): ReadonlySet<string> {
  const titles = [...markdown.matchAll(/^#+ +(.*)$/gm)].map(([, title = ""]) => title);
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

// What the tests above are worth: a page with a mistake of each kind is found out.
describe("a block with a mistake", () => {
  const block = (language: string, text: string, rest = ""): readonly Fence[] =>
    fencesOf("docs/made-up.md", `# Made up\n\n\`\`\`${language}${rest}\n${text}\n\`\`\`\n`);

  test("in TypeScript: a property that there is not, at its line", () => {
    const text =
      'import * as dcx from "@dcx/pulumi";\nnew dcx.Workload("a", {\n  deployment: "d", infrastructure: "i", image: "x:1" });';
    expect(typeErrors([block("ts", text)])).toEqual([expect.stringMatching(/^docs\/made-up\.md:6: .*'image'/)]);
  });

  test("in YAML: a value that is none, in one of two programs", async () => {
    const program = (group: string): readonly Fence[] => {
      const properties = `infrastructures: { a: { resources: [{ cpu: 1, disk: 1Gi, ${group} }] } }`;
      return block("yaml", `resources:\n  shop:\n    type: dcx:Deployment\n    properties:\n      ${properties}`);
    };
    const [first, second] = [program('memory: 1Gi, maxPrice: "1/day"'), program('memory: 1G!, maxPrice: "1"')];
    const failure = await previewOf([first, second.map((fence) => ({ ...fence, page: "docs/second.md" }))]);
    expect(failure).toMatch(/docs-second-md-4-shop' has a problem: infrastructures\.a\.resources\[0\]\.memory/);
  });

  test.each([
    ["a datacenter without region", "chain: { endpoints: [] }\ncapacity: { cpu: 1, memory: 1Gi, disk: 1Gi }", "region"],
    ["an application whose workload fits nowhere", "infrastructures: {}\nworkloads: { a: {} }", "infrastructure"],
    ["something else", "apiVersion: v1\nkind: Secret", "nothing knows how to check"],
  ])("in other YAML: %s", (_, text, message) => {
    expect(block("yaml", text).map(otherYaml)).toEqual([expect.stringContaining(message)]);
  });

  test.each([
    ["dcx leases --jsn", "unknown option '--jsn'"],
    ["dcx lease 1", "unknown command 'lease'"],
    ["dcx logs 1", "missing required argument"],
    ["dcx network start --isolation strong", "Allowed choices"],
    ["npm run dcx -- network statuss", "unknown command"],
    ["npm run bnch", "no script bnch"],
    ["pulumi preview --expect-no-change", "has no --expect-no-change"],
    ["pulumi config set dcx:network x && pulumi upp", "no such subcommand"],
    ["node tools/none.cjs", "no such file"],
    ["terraform apply", "nothing knows how to check"],
  ])("of commands: %s", async (command, message) => {
    expect(await commandErrors(block("sh", `npm test\n${command}`))).toEqual([expect.stringContaining(message)]);
  });

  test("that is not checked needs a reason, and one that continues something before it", () => {
    expect(block("yaml", "a: 1", " unchecked: ")[0]?.unchecked).toBe("");
    expect(() => chains(block("ts", "x;", " continues"), ["ts"])).toThrow("nothing on this page");
    expect(() => fencesOf("docs/made-up.md", "```ts\nx;\n")).toThrow("does not end");
  });
});
