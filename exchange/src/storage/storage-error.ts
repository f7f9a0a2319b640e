/**
 * The disk failed, or what is on it is damaged. It is no property of a transaction, and other validators don't have
 * it: the node must stop rather than go on.
 */
export class StorageError extends Error {
  override readonly name = "StorageError";
}
