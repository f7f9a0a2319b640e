import { setTimeout as sleep } from "node:timers/promises";
import { types } from "node:util";
import { z } from "zod";
import { NetworkUnreachable, QueryFailed, WrongChain } from "./errors";
import { JsonPoster, type TextAnswer } from "./json-poster";

const RpcAnswer = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.string().optional() }).nullish(),
});

const ChainOfStatus = z.object({ node_info: z.object({ network: z.string() }) });

export interface FailoverOptions {
  /** Undefined: the chain of the first endpoint that answers. */
  readonly chainId: string | undefined;
  /** How long a call goes on, in ms. */
  readonly patience: number;
  /** How long one endpoint may take, in ms. */
  readonly requestTimeout: number;
  /** Ends every call. */
  readonly signal: AbortSignal;
}

interface Endpoint {
  readonly url: string;
  /** Its chain is known to be the right one. Forgotten at each failure: something else may listen there next. */
  verified: boolean;
}

/** An endpoint did not answer, or answered something that no node says. The next one may do better. */
class EndpointFailed extends Error {}

const firstDelay = 100;
const longestDelay = 2_000;

/**
 * CometBFT's JSON-RPC over several nodes of one chain. A call goes to the endpoint that answered last; where it
 * does not answer, to the next ones, in rounds with growing pauses, until the patience is over.
 */
export class FailoverRpc {
  private readonly endpoints: readonly Endpoint[];
  private readonly poster: JsonPoster;
  private preferred = 0;
  private chain: string | undefined;

  /** Throws when there is no endpoint, or one that is no http(s) URL. */
  constructor(
    endpoints: readonly string[],
    private readonly options: FailoverOptions,
  ) {
    if (endpoints.length === 0) {
      throw new Error("No endpoint of the exchange is given: name at least one, such as http://127.0.0.1:26657.");
    }
    this.endpoints = endpoints.map((endpoint) => ({ url: requireHttpUrl(endpoint), verified: false }));
    this.chain = options.chainId;
    this.poster = new JsonPoster(options.requestTimeout);
  }

  /** The chain that every endpoint must be of; undefined before the first answer where none was asked for. */
  get chainId(): string | undefined {
    return this.chain;
  }

  /** The endpoint that answered last, or the first. */
  get currentEndpoint(): string {
    return this.endpointAt(this.preferred).url;
  }

  /**
   * Calls a method and parses its result. Params are JSON-RPC's by name; bytes in them are base64 or hexadecimal as
   * the method wants. Throws NetworkUnreachable, WrongChain, QueryFailed (the node answered with an error, or with
   * what the schema does not admit), or the signal's reason.
   */
  async call<T>(
    method: string,
    params: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const ended = this.ended(signal);
    const deadline = Date.now() + this.options.patience;
    for (let delay = firstDelay; ; delay = Math.min(delay * 2, longestDelay)) {
      const reasons: string[] = [];
      for (let tried = 0; tried < this.endpoints.length; tried++) {
        const endpoint = this.endpointAt(this.preferred);
        try {
          return await this.ask(endpoint, method, params, schema, ended);
        } catch (error) {
          if (!(error instanceof EndpointFailed)) throw error;
          this.leave(endpoint);
          reasons.push(`${endpoint.url}: ${error.message}`);
        }
      }
      if (Date.now() + delay > deadline) throw this.unreachable(reasons);
      await pause(delay, ended);
    }
  }

  /** As `call`, with a single attempt at a single endpoint: for what must be known to have been sent or not. */
  async callOnce<T>(
    method: string,
    params: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const endpoint = this.endpointAt(this.preferred);
    try {
      return await this.ask(endpoint, method, params, schema, this.ended(signal));
    } catch (error) {
      if (!(error instanceof EndpointFailed)) throw error;
      this.leave(endpoint);
      throw new NetworkUnreachable([endpoint.url], [error.message], { cause: error });
    }
  }

  private async ask<T>(
    endpoint: Endpoint,
    method: string,
    params: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<T> {
    if (!endpoint.verified) {
      const answer = await this.post(endpoint, "status", {}, signal);
      const { network } = parseAnswer("status", ChainOfStatus, answer).node_info;
      this.chain ??= network;
      if (network !== this.chain) throw new WrongChain(endpoint.url, this.chain, network);
      endpoint.verified = true;
    }
    return parseAnswer(method, schema, await this.post(endpoint, method, params, signal));
  }

  private async post(
    endpoint: Endpoint,
    method: string,
    params: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<unknown> {
    signal.throwIfAborted();
    let answered: TextAnswer;
    try {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
      answered = await this.poster.post(endpoint.url, body, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new EndpointFailed(networkReason(error, this.options.requestTimeout), { cause: error });
    }
    // CometBFT answers an error of a method with HTTP 500 and a proper JSON-RPC body: only the body tells.
    const answer = RpcAnswer.safeParse(parseJson(answered.text));
    if (!answer.success) throw new EndpointFailed(`HTTP ${answered.status}, not the answer of a node`);
    const failure = answer.data.error;
    if (failure) throw new QueryFailed(method, failure.code, failure.data || failure.message);
    return answer.data.result;
  }

  private leave(endpoint: Endpoint): void {
    endpoint.verified = false;
    // A call that ran beside this one may have gone on already.
    if (this.endpointAt(this.preferred) === endpoint) this.preferred = (this.preferred + 1) % this.endpoints.length;
  }

  private endpointAt(index: number): Endpoint {
    const endpoint = this.endpoints[index];
    if (endpoint === undefined) throw new RangeError(`There is no endpoint ${index}.`);
    return endpoint;
  }

  private ended(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.options.signal : AbortSignal.any([signal, this.options.signal]);
  }

  private unreachable(reasons: readonly string[]): NetworkUnreachable {
    const urls = this.endpoints.map((endpoint) => endpoint.url);
    return new NetworkUnreachable(
      urls,
      urls.map((url) => reasons.find((reason) => reason.startsWith(`${url}: `))?.slice(url.length + 2) ?? "not tried"),
    );
  }
}

/** Waits for `milliseconds`; throws the signal's reason when that aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

function requireHttpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new Error(`"${text}" is no endpoint of an exchange: write its URL, such as http://127.0.0.1:26657.`);
  }
  return url.href;
}

function parseAnswer<T>(method: string, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new QueryFailed(
    method,
    0,
    `the answer is not what a CometBFT 0.38 node says: ${z.prettifyError(parsed.error)}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The innermost reason. */
function networkReason(error: unknown, timeout: number): string {
  // A DOMException, which is not an Error in every realm.
  if (typeof error === "object" && error !== null && "name" in error && error.name === "TimeoutError") {
    return `no answer within ${timeout} ms`;
  }
  if (!types.isNativeError(error)) return String(error);
  // Both IPv4 and IPv6 were tried.
  if ("errors" in error && Array.isArray(error.errors)) return networkReason(error.errors[0], timeout);
  return error.cause === undefined ? error.message : networkReason(error.cause, timeout);
}
