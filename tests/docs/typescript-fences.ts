import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "../support/root";
import type { Fence } from "./fences";

/** In the checkout, so that `@dcx/pulumi` and `@pulumi/pulumi` are found as in a program of a user. */
const folder = join(root, ".cache", "snippets");

/** What the compiler says about TypeScript blocks, by the place in their page. One compilation for all of them. */
export function typeErrors(blocks: readonly (readonly Fence[])[]): readonly string[] {
  const home = join(folder, String(process.pid));
  try {
    const places = new Map<string, string>();
    for (const block of blocks) {
      const last = block.at(-1);
      if (last !== undefined) {
        const file = `${last.page.replaceAll(/[/.]/g, "-")}-${last.line}.ts`;
        places.set(file, last.page);
        mkdirSync(dirname(join(home, file)), { recursive: true });
        writeFileSync(join(home, file), moduleOf(block));
      }
    }
    if (places.size === 0) {
      return [];
    }
    const options = {
      extends: "../../../tsconfig.base.json",
      compilerOptions: { noEmit: true, composite: false, incremental: false, types: ["node"], ...lenient },
      include: ["*.ts"],
    };
    writeFileSync(join(home, "tsconfig.json"), JSON.stringify(options));
    const compiler = join(root, "node_modules", "typescript-native", "bin", "tsc");
    const { stdout } = spawnSync(process.execPath, [compiler, "-p", home, "--pretty", "false"], {
      cwd: home,
      encoding: "utf8",
    });
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) =>
        line.replace(/^([^(]+)\((\d+),\d+\): error/, (_, file, at) => `${places.get(file) ?? file}:${at}:`),
      );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** What a page shows may leave unused what the next one uses. */
const lenient = { noUnusedLocals: false, noUnusedParameters: false, noPropertyAccessFromIndexSignature: false };

/** One module, in which every line has the number that it has in its page. */
function moduleOf(block: readonly Fence[]): string {
  const lines: string[] = [];
  for (const { line, text } of block) {
    while (lines.length < line - 1) {
      lines.push("");
    }
    lines.push(...text.split("\n"));
  }
  return `${lines.join("\n")}\nexport {};\n`;
}
