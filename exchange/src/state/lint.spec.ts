import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(__dirname, "..", "..", "..");
const biome = join(root, "node_modules", ".bin", "biome");

/** The rules by which the project's own lint refuses each of these files, were they in the project. */
function lint(files: Readonly<Record<string, string>>): ReadonlyMap<string, readonly string[]> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "dcx-lint-")));
  try {
    cpSync(join(root, "biome.json"), join(folder, "biome.json"));
    cpSync(join(root, "tools", "lint"), join(folder, "tools", "lint"), { recursive: true });
    for (const [path, code] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), `${code}\n`);
    }
    const given = ["lint", "--reporter=github", "--max-diagnostics=none", "."];
    const { stdout } = spawnSync(biome, given, { cwd: folder, encoding: "utf8" });
    const found = new Map<string, string[]>();
    for (const [, rule = "", file = ""] of stdout.matchAll(/^::error title=([^,]+),file=([^,]+),/gm)) {
      const path = relative(folder, resolve(folder, file));
      found.set(path, [...(found.get(path) ?? []), rule]);
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const planted: readonly (readonly [what: string, code: string])[] = [
  ["a clock", "export const now = Date.now();"],
  ["a date", "export const now = new Date(0);"],
  ["a counter of time", "export const now = performance.now();"],
  ["a timer", "setTimeout(() => undefined, 1);"],
  ["chance", "export const chance = Math.random();"],
  ["a root", "export const root = Math.sqrt(2);"],
  ["a fraction", "export const half = 0.5;"],
  ["an exponent", "export const million = 1e6;"],
  ["a parsed fraction", 'export const half = Number.parseFloat("0.5");'],
  ["a locale's order", 'export const order = "a".localeCompare("b");'],
  ["a locale's letters", 'export const letters = "a".toLocaleUpperCase();'],
  ["a collator", "export const collator = new Intl.Collator();"],
  ["a promise", "export const later = Promise.resolve(1);"],
  ["an async function", "export async function later() {}"],
  ["an async arrow", "export const later = async () => 1;"],
  ["an async method", "export class Later { async later() {} }"],
  ["waiting", "export const later = await 1;"],
  ["loading", 'export const later = import("./orders");'],
  ["the environment", 'export const home = process.env["HOME"];'],
];

const planting = (folder: string) =>
  Object.fromEntries(planted.map(([, code], index) => [`exchange/src/${folder}/planted-${index}.ts`, code]));
const ours = /^(plugin|lint\/style\/noRestrictedGlobals)$/;

describe.each(["state", "application"])("in exchange/src/%s the lint", (folder) => {
  const found = lint(planting(folder));
  test.each(planted.map(([what], index) => [what, index] as const))("refuses %s", (_, index) => {
    expect(found.get(`exchange/src/${folder}/planted-${index}.ts`)).toContainEqual(expect.stringMatching(ours));
  });
});

test("the lint refuses the machine's modules in the state machine", () => {
  const code = 'import { createHash } from "node:crypto";\nexport const hash = createHash("sha256");';
  expect([...lint({ "exchange/src/state/planted.ts": code })]).toEqual([
    ["exchange/src/state/planted.ts", ["lint/style/noRestrictedImports"]],
  ]);
});

test("the lint takes what is exact, and leaves tests and other folders alone", () => {
  const exact = "export const most = Math.max(1, 0x1f) + Number(7n / 2n);";
  const clock = "export const now = Date.now();";
  const elsewhere = { "exchange/src/state/planted.spec.ts": clock, "exchange/src/state/testing/planted.ts": clock };
  const found = lint({ ...planting("node"), ...elsewhere, "exchange/src/state/exact.ts": exact });
  expect([...found.values()].flat().filter((rule) => ours.test(rule))).toEqual([]);
});
