import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ask, expectNothingLeft } from "./support/checks";
import { root } from "./support/root";
import { World } from "./support/world";

jest.setTimeout(600_000);

// The engine built from Go modules has no host for Node.js programs, so the program runs inside the Automation API,
// which a child process drives: a Pulumi program is meant to be loaded once.
const driver = join(root, "tests", "support", "run-program.cjs");

test.each(["two-tier", "inline"])("the %s example in TypeScript: up, empty preview, destroy", async (example) => {
  const folder = join(root, "examples", example, "typescript");
  execFileSync(process.execPath, [join(root, "node_modules", "typescript-native", "bin", "tsc"), "-b", folder]);
  const program = join(folder, "dist", "index.js");
  expect(existsSync(program)).toBe(true);
  const world = World.create();
  const drive = (operation: string): { outputs: Record<string, unknown>; changes: Record<string, number> } =>
    JSON.parse(
      execFileSync(process.execPath, [driver, operation, program], {
        encoding: "utf8",
        env: { ...process.env, ...world.environment },
        stdio: ["ignore", "pipe", "inherit"],
      }),
    );
  try {
    const { outputs } = drive("up");
    expect(await ask(outputs["url"])).toMatchObject({ region: "us-west", api: { region: "us-east" } });
    const { changes } = drive("preview");
    expect(Object.keys(changes)).toEqual(["same"]);
    drive("destroy");
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});
