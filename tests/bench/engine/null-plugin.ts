import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "../../support/root";

/**
 * Makes the plugin that does nothing ready to be started: bundled as dcx's own is, with V8's compile cache beside it.
 * Returns the folder that holds its `pulumi-resource-dcx`.
 */
export async function buildNullPlugin(): Promise<string> {
  const folder = join(root, ".cache", "bench", "null-plugin");
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: [join(root, "tests", "bench", "null-plugin", "server.ts")],
    outfile: join(folder, "server.cjs"),
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node22",
    minify: true,
    logLevel: "warning",
    banner: { js: 'require("node:module").enableCompileCache?.(require("node:path").join(__dirname, ".compiled"));' },
  });
  copyFileSync(join(root, "provider", "cmd", "pulumi-resource-dcx", "schema.json"), join(folder, "schema.json"));
  const launcher = join(folder, "pulumi-resource-dcx");
  writeFileSync(launcher, `#!/bin/sh\nexec "$DCX_NODE" "\${0%/*}/server.cjs" "$@"\n`);
  chmodSync(launcher, 0o755);
  return folder;
}
