import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Has each Node process under an environment tell, when it ends, how much memory it had in use at most. Linux only: what
 * other systems (and getrusage) say counts what the process was before it became Node, the engine's own copy.
 */
export class ResidentMemory {
  private constructor(private readonly folder: string) {}

  /** @param folder is made here, and holds what they tell */
  static in(folder: string): ResidentMemory {
    mkdirSync(folder);
    writeFileSync(
      join(folder, "tell.cjs"),
      `const { readFileSync, writeFileSync } = require("node:fs");
process.on("exit", () => writeFileSync(__dirname + "/" + process.pid + ".told", readFileSync("/proc/self/status")));
`,
    );
    return new ResidentMemory(folder);
  }

  /** For the command that starts them. */
  get environment(): Readonly<Record<string, string>> {
    return { NODE_OPTIONS: `--require=${join(this.folder, "tell.cjs")}` };
  }

  /** The most that one of them had, in megabytes (2^20 bytes). @throws Error when none has told */
  most(): number {
    const told = readdirSync(this.folder).filter((name) => name.endsWith(".told"));
    if (told.length === 0) {
      throw new Error("no plugin said at its end how much memory it had: was it killed?");
    }
    return Math.max(...told.map((name) => mostResidentIn(readFileSync(join(this.folder, name), "utf8"))));
  }
}

/** Megabytes in the line VmHWM of a /proc/<pid>/status. */
function mostResidentIn(status: string): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) {
    throw new Error("this is no /proc/<pid>/status");
  }
  return Number(kilobytes) / 1024;
}
