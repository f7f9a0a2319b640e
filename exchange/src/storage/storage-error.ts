/**
 * The disk failed, or what is on it is damaged. It is no property of a transaction, and other validators don't have
 * it: the node must stop rather than go on.
 */
export class StorageError extends Error {
  override readonly name = "StorageError";
}

/** Calls what reads from lmdb. @throws StorageError in place of what that throws */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new StorageError("reading the state database failed: check the disk, then start the node again", {
      cause: error,
    });
  }
}
