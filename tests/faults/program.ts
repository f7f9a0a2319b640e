import { join } from "node:path";
import { buildSync } from "esbuild";
import { root } from "../support/root";
import type { Program } from "../support/validators";

/** Bundles a command of this folder into `folder`; it runs on the built packages, as `dcx` does. */
export function faultyProgram(name: "faulty-validator" | "mortal-validator", folder: string): Program {
  const file = join(folder, `${name}.cjs`);
  buildSync({
    entryPoints: [join(root, "tests", "faults", `${name}.ts`)],
    outfile: file,
    bundle: true,
    platform: "node",
    packages: "external",
    logLevel: "error",
  });
  const environment = { DCX_TEST_ROOT: root, NODE_PATH: join(root, "node_modules") };
  return { command: process.execPath, args: [file], environment };
}

/** The same with more in its environment. */
export function withEnvironment(program: Program, environment: Readonly<Record<string, string>>): Program {
  return { ...program, environment: { ...program.environment, ...environment } };
}
