import { types } from "node:util";
import { z } from "zod";
import { QueryFailed, type WrongChain } from "./errors";

/** A JSON-RPC answer, of whatever method. */
export const RpcAnswer = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.string().optional() }).nullish(),
});

/** One node of a chain, as a client knows it. */
export interface Endpoint {
  readonly url: string;
  /** Without what lets one in. */
  readonly shown: string;
  /** Its chain is known to be the right one. Forgotten at each failure: something else may listen there next. */
  verified: boolean;
}

/**
 * An endpoint did not answer, is behind, is of another chain, or answered something that no node says. The next one
 * may do better.
 */
export class EndpointFailed extends Error {
  constructor(
    message: string,
    readonly otherChain?: WrongChain,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The URL in its one spelling. Throws where it is none of http or https. */
export function requireHttpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new Error(`"${text}" is no endpoint of an exchange: write its URL, such as http://127.0.0.1:26657.`);
  }
  return url.href;
}

/** A URL may hold a password, or a key in its query. */
export function shownUrl(text: string): string {
  const url = new URL(text);
  const address = `${url.origin}${url.pathname}`;
  return url.search === "" ? address : `${address}?…`;
}

/** Throws QueryFailed for what the schema does not admit. */
export function parseAnswer<T>(method: string, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new QueryFailed(
    method,
    0,
    `the answer is not what a CometBFT 0.38 node says: ${z.prettifyError(parsed.error)}`,
  );
}

/** `undefined`: it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The innermost reason. */
export function networkReason(error: unknown, timeout: number): string {
  // A DOMException, which is not an Error in every realm.
  if (typeof error === "object" && error !== null && "name" in error && error.name === "TimeoutError") {
    return `no answer within ${timeout} ms`;
  }
  if (!types.isNativeError(error)) return String(error);
  // Both IPv4 and IPv6 were tried.
  if ("errors" in error && Array.isArray(error.errors)) return networkReason(error.errors[0], timeout);
  return error.cause === undefined ? error.message : networkReason(error.cause, timeout);
}
