import { readFile } from "node:fs/promises";

/** Undefined: there is none, or only a part of it, as a killed agent or a machine that lost its power leaves it. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
