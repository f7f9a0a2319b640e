import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { root } from "../support/root";
import type { Stack } from "../support/stack";
import { World } from "../support/world";

const folder = join(root, "examples", "self-managed");
const Account = z.object({ address: z.string(), privateKey: z.string() });
const ProgramText = z.looseObject({
  config: z.record(z.string(), z.unknown()),
  resources: z.record(z.string(), z.unknown()),
  outputs: z.record(z.string(), z.unknown()),
});

/** A world with one of the examples, not yet up, and a manager's account that has tokens. */
export async function selfManaged(example: string): Promise<{ world: World; stack: Stack; manager: string }> {
  execFileSync(process.execPath, [join(root, "node_modules", "typescript-native", "bin", "tsc"), "-b", folder]);
  const world = World.create();
  try {
    await world.startNetwork();
    const env = { ...process.env, ...world.environment };
    const made = execFileSync(process.execPath, [join(folder, "dist", "new-manager.js"), "1"], {
      encoding: "utf8",
      env,
    });
    const { address, privateKey } = Account.parse(JSON.parse(made));
    const { config, resources, outputs } = ProgramText.parse(
      parse(readFileSync(join(folder, example, "Pulumi.yaml"), "utf8")),
    );
    const stack = await world.stack(example, {
      config,
      resources,
      outputs,
    });
    await stack.configure({ managerAddress: { value: address }, managerKey: { value: privateKey, secret: true } });
    return { world, stack, manager: address };
  } catch (error) {
    await world.close();
    throw error;
  }
}
