import { PassThrough, Readable } from "node:stream";

/** A stream as the engine's client gives it, as one of Node's own. */
export function readable(stream: NodeJS.ReadableStream): Readable {
  return stream instanceof Readable ? stream : new PassThrough().wrap(stream);
}

/** 404: it is gone; 304: it has stopped already. @throws everything else */
export function ignoreMissing(error: unknown): undefined {
  return ignore(error, [404, 304]);
}

/** 404: it is gone; 409: it is being removed. @throws everything else */
export function ignoreLeaving(error: unknown): undefined {
  return ignore(error, [404, 409]);
}

function ignore(error: unknown, statuses: readonly unknown[]): undefined {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  if (!statuses.includes(status)) {
    throw error;
  }
  return undefined;
}
