import { existsSync } from "node:fs";
import { join } from "node:path";

export type Program = "supervisor" | "network-helper";

const places: Readonly<Record<Program, string>> = {
  supervisor: "supervised/supervisor",
  "network-helper": "network-helper",
};

/**
 * Command line of one of the runtime's own programs. They lie beside this file, compiled or as source (Node 22 runs
 * both); a bundle says in `folder` where it has put them, as `supervisor.js` and `network-helper.js`.
 */
export function programCommand(program: Program, folder: string | undefined): string[] {
  const candidates =
    folder === undefined
      ? [".js", ".ts"].map((extension) => join(__dirname, `${places[program]}${extension}`))
      : [join(folder, `${program}.js`)];
  const file = candidates.find((candidate) => existsSync(candidate));
  if (file === undefined) {
    throw new Error(`the runtime's program "${program}" is missing: looked for ${candidates.join(" and ")}`);
  }
  // One of each runs per instance: what they keep in memory counts.
  return [
    process.execPath,
    "--max-old-space-size=32",
    "--max-semi-space-size=1",
    "--disable-warning=ExperimentalWarning",
    file,
  ];
}
