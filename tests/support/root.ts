import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of the checkout, also for code that runs compiled, out of `.cache/tests`. */
export const root = findRoot(__dirname);

function findRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package-lock.json"))) {
      return folder;
    }
    if (folder === dirname(folder)) {
      throw new Error(`No folder above ${start} holds a package-lock.json.`);
    }
  }
}
