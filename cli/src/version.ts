import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Version of this dcx, from its package. */
export const version: string = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(__dirname, "..", "package.json"), "utf8"))).version;
