import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { z } from "zod";

/**
 * Bytes of pieces after which those that nobody holds any more are freed. V8 marks its whole heap again when what lies outside of
 * it has grown by eight MiB, freed or not; by itself it frees pieces when their small objects fill the young space, which is
 * after forty.
 */
const mostFreed = 4 * 1024 * 1024;

type Collect = (options: { readonly type: "minor" }) => unknown;
const isFunction = z.custom<Collect>((value) => typeof value === "function");

let collect: Collect | undefined;
let unfreed = 0;

/**
 * To be told of each piece of a flow that was read from a socket. Such a piece is a small object with as many bytes outside of
 * V8's heap as the socket gave, 64 KiB mostly.
 */
export function carriedPiece(bytes: number): void {
  unfreed += bytes;
  if (unfreed < mostFreed) return;
  unfreed = 0;
  collect ??= exposed();
  collect({ type: "minor" });
}

/** The collector is a global of contexts that are made while this flag is set; there is no other way to it after the start. */
function exposed(): Collect {
  setFlagsFromString("--expose-gc");
  const found = isFunction.safeParse(runInNewContext("typeof gc === 'function' ? gc : undefined"));
  setFlagsFromString("--no-expose-gc");
  return found.success ? found.data : () => undefined;
}
