import { PassThrough, Readable } from "node:stream";

/** A stream as the engine's client gives it, as one of Node's own. */
export function readable(stream: NodeJS.ReadableStream): Readable {
  return stream instanceof Readable ? stream : new PassThrough().wrap(stream);
}

/** 404: it is gone; 304: it has stopped already. @throws everything else */
export function ignoreMissing(error: unknown): undefined {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  if (status !== 404 && status !== 304) {
    throw error;
  }
  return undefined;
}
