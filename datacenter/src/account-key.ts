import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { ConfigurationError } from "./configuration";

const KeyFileContent = z.union([
  z.object({ privateKey: z.string().regex(/^[0-9a-fA-F]{64}$/) }),
  z.object({ mnemonic: z.string().min(1) }),
]);
export type KeyFileContent = z.infer<typeof KeyFileContent>;

/**
 * Reads the datacenter's key. @throws {ConfigurationError} where others may read the file, or it holds no key; the
 * message never shows what it holds.
 */
export function readAccountKey(file: string): KeyFileContent {
  try {
    const others = statSync(file).mode & 0o077;
    if (others !== 0 && process.platform !== "win32") {
      throw new ConfigurationError(`keyFile ${file} can be read by others: \`chmod 600 ${file}\`, then start again`);
    }
    const parsed = KeyFileContent.safeParse(JSON.parse(readFileSync(file, "utf8")));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const missing = typeof error === "object" && error !== null && "code" in error;
    if (missing) throw new ConfigurationError(`keyFile ${file} can't be read: ${String(error.code)}`);
  }
  throw new ConfigurationError(`keyFile ${file} must be JSON with "privateKey" (64 hexadecimal digits) or "mnemonic"`);
}
