import { open } from "lmdb";
import { Entries, mostDatabases } from "./entries";
import { heightKey } from "./state-database";
import { StorageError } from "./storage-error";

/**
 * Calls `read` with the state of one committed block, whatever is committed meanwhile: its height, and its entries in
 * the byte order of their keys. Of a database that this or another process has open.
 * @returns what `read` returns, or `undefined` where there is no block yet
 */
export function readCommitted<Result>(
  path: string,
  read: (height: bigint, entries: Iterable<readonly [key: Buffer, value: Buffer]>) => Result,
): Result | undefined {
  const binary = { encoding: "binary", keyEncoding: "binary" } as const;
  const environment = open<Buffer, Buffer>({ path, ...binary, maxDbs: mostDatabases, readOnly: true });
  try {
    const meta = environment.openDB<Buffer, Buffer>("meta", binary);
    const entries = new Entries(environment);
    const transaction = environment.useReadTransaction();
    try {
      const height = meta.get(heightKey, { transaction });
      if (height === undefined) return undefined;
      return read(height.readBigUInt64BE(), entries.all(transaction));
    } finally {
      transaction.done();
    }
  } catch (error) {
    throw new StorageError("reading the state database failed: check the disk", { cause: error });
  } finally {
    void environment.close();
  }
}
