import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/**
 * The files by which the processes of a user's embedded network, the `dcx` command and the Pulumi plugin find one
 * another (design: "The embedded network"). The `dcx` command writes them; everybody else reads.
 */

/** A process that outlives the command that started it. Its pid alone does not name it: pids are used again. */
export const ProcessRecord = z.object({
  pid: z.number().int().positive(),
  /** When the operating system says that it started; opaque text. */
  startTime: z.string(),
  /** In its environment as DCX_PROCESS_NONCE. */
  nonce: z.string(),
});
export type ProcessRecord = z.infer<typeof ProcessRecord>;

export const EmbeddedDatacenter = z.object({
  name: z.string(),
  address: z.string(),
  region: z.string(),
  process: ProcessRecord,
});
export type EmbeddedDatacenter = z.infer<typeof EmbeddedDatacenter>;

export const EmbeddedNetwork = z.object({
  schema: z.literal(1),
  /** Version of dcx that started it. */
  version: z.string(),
  chainId: z.string(),
  /** Where the node answers CometBFT's JSON-RPC. */
  rpcUrl: z.string(),
  node: ProcessRecord,
  datacenters: z.array(EmbeddedDatacenter),
});
export type EmbeddedNetwork = z.infer<typeof EmbeddedNetwork>;

/** Chain ids of embedded networks of this user that were reset: what they held is gone. */
export const EmbeddedHistory = z.object({ schema: z.literal(1), reset: z.array(z.string()) });
export type EmbeddedHistory = z.infer<typeof EmbeddedHistory>;

/** A key file, mode 600. */
export const KeyFile = z.object({
  address: z.string(),
  /** secp256k1, 32 bytes in hexadecimal. */
  privateKey: z.string().regex(/^[0-9a-f]{64}$/),
});
export type KeyFile = z.infer<typeof KeyFile>;

export interface EmbeddedPaths {
  readonly home: string;
  /** EmbeddedNetwork; there while a network was started and not reset, whether or not it runs now. */
  readonly descriptor: string;
  readonly history: string;
  readonly tenantKey: string;
  /** Folder of OCI layouts that its datacenters know beside the registries. */
  readonly images: string;
  readonly logs: string;
}

/** Where the embedded network of this user lives: under DCX_HOME, else under `.dcx` in the home folder. */
export function embeddedPaths(environment: NodeJS.ProcessEnv): EmbeddedPaths {
  const root = environment["DCX_HOME"] || join(homedir(), ".dcx");
  const home = join(root, "embedded");
  return {
    home,
    descriptor: join(home, "network.json"),
    history: join(home, "history.json"),
    tenantKey: join(home, "keys", "tenant.json"),
    images: join(root, "images"),
    logs: join(home, "logs"),
  };
}

/** The network that was started last and not reset. It need not run. Throws when its file can't be understood. */
export function readEmbeddedNetwork(paths: EmbeddedPaths): EmbeddedNetwork | undefined {
  const value = readJson(paths.descriptor);
  if (value === undefined) {
    return undefined;
  }
  const parsed = EmbeddedNetwork.safeParse(value);
  if (!parsed.success) {
    throw new Error(
      `${paths.descriptor} does not describe an embedded network that this version of dcx knows: ` +
        `${z.prettifyError(parsed.error)}\n` +
        "It may be from a newer dcx: upgrade, or `dcx network reset` to begin anew (its deployments are lost).",
    );
  }
  return parsed.data;
}

/** Whether this chain was an embedded network of this user that was reset since. */
export function wasReset(paths: EmbeddedPaths, chainId: string): boolean {
  return readHistory(paths).reset.includes(chainId);
}

/** Throws when the file is damaged: taking that for "never reset" would turn a reset chain into an error for good. */
export function readHistory(paths: EmbeddedPaths): EmbeddedHistory {
  const value = readJson(paths.history);
  return value === undefined ? { schema: 1, reset: [] } : EmbeddedHistory.parse(value);
}

/** Throws when the file is missing or no key file. Never puts the key into a message. */
export function readKeyFile(path: string): KeyFile {
  const parsed = KeyFile.safeParse(readJson(path));
  if (!parsed.success) {
    throw new Error(`${path} is not a key file: it needs "address" and a "privateKey" of 64 hexadecimal digits.`);
  }
  return parsed.data;
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${path} is not JSON. It is written whole or not at all, so something else has changed it.`);
  }
}
