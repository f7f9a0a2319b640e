import { z } from "zod";
import { withJoined } from "../cancellation/join-signals";
import { pause } from "../cancellation/pause";
import { NetworkUnreachable, QueryFailed, WrongChain } from "./errors";
import { JsonPoster, type TextAnswer } from "./json-poster";
import {
  type Endpoint,
  EndpointFailed,
  networkReason,
  parseAnswer,
  parseJson,
  RpcAnswer,
  requireHttpUrl,
  shownUrl,
} from "./rpc-endpoint";

const NodeState = z.object({
  node_info: z.object({ network: z.string() }),
  sync_info: z.object({ latest_block_height: z.coerce.bigint(), catching_up: z.boolean() }),
});

export interface FailoverOptions {
  /** Undefined: the chain that the endpoints agree on. */
  readonly chainId: string | undefined;
  /** How long a call goes on, in ms. */
  readonly patience: number;
  /** How long one endpoint may take, in ms. */
  readonly requestTimeout: number;
  /** Ends every call. */
  readonly signal: AbortSignal;
}

const firstDelay = 100;
const longestDelay = 2_000;
/** Blocks that a node may be behind another at the same moment without being a bad one. */
const toleratedLag = 2n;
/** How long the others are waited for once one endpoint has said where it is, in ms. */
const surveyGrace = 1_000;

/**
 * CometBFT's JSON-RPC over several nodes of one chain. A call goes to the endpoint that answered last; where it does
 * not answer, is still catching up or is of another chain, to the next ones, in rounds with growing pauses, until the
 * patience is over. Reads of the state never go back in time: an answer from before what was seen already counts as
 * none (`callForState`).
 */
export class FailoverRpc {
  private readonly endpoints: readonly Endpoint[];
  private readonly poster: JsonPoster;
  private preferred = 0;
  private chain: string | undefined;
  /** Of any block that was seen at any endpoint. */
  private newest = 0n;

  /** Throws when there is no endpoint, or one that is no http(s) URL. */
  constructor(
    endpoints: readonly string[],
    private readonly options: FailoverOptions,
  ) {
    if (endpoints.length === 0) {
      throw new Error("No endpoint of the exchange is given: name at least one, such as http://127.0.0.1:26657.");
    }
    this.endpoints = endpoints.map((endpoint) => {
      const url = requireHttpUrl(endpoint);
      return { url, shown: shownUrl(url), verified: false };
    });
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
    return this.untilEnded(signal, (ended) =>
      this.rounds((endpoint) => this.ask(endpoint, method, params, schema, ended), ended),
    );
  }

  /**
   * As `call`, for what is from the state at a height: never from before a block that was seen already, here or at
   * another endpoint. Throws NetworkUnreachable also where all endpoints stay behind.
   */
  async callForState<T>(
    method: string,
    params: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    heightOf: (answer: T) => bigint,
    signal?: AbortSignal,
  ): Promise<T> {
    const read = async (endpoint: Endpoint, ended: AbortSignal): Promise<T> => {
      const answer = await this.ask(endpoint, method, params, schema, ended);
      const height = heightOf(answer);
      if (height < this.newest) throw new EndpointFailed(behind(height, this.newest));
      this.learn(height);
      return answer;
    };
    return this.untilEnded(signal, (ended) => this.rounds((endpoint) => read(endpoint, ended), ended));
  }

  /** A height that was seen at an endpoint. */
  learn(height: bigint): void {
    if (height > this.newest) this.newest = height;
  }

  /**
   * Asks every endpoint where it is, leaves the current one where it is behind another or of another chain, and
   * answers with the newest height. Throws as `call`, and WrongChain where two are of different chains and nobody said
   * which is meant.
   */
  async survey(signal?: AbortSignal): Promise<bigint> {
    const found = this.endpoints.length === 1 ? [] : await this.untilEnded(signal, (ended) => this.states(ended));
    if (found.length === 0) {
      const { sync_info } = await this.call("status", {}, NodeState, signal);
      this.learn(sync_info.latest_block_height);
      return this.newest;
    }
    if (this.chain === undefined) {
      const [first] = found;
      const other = found.find(({ chain }) => chain !== first?.chain);
      if (first !== undefined && other !== undefined) {
        throw new WrongChain(other.endpoint.shown, first.chain, other.chain);
      }
      this.chain = first?.chain;
    }
    const own = found.filter(({ chain }) => chain === this.chain);
    const [stranger] = found;
    if (own.length === 0 && found.length === this.endpoints.length && stranger !== undefined) {
      throw new WrongChain(stranger.endpoint.shown, this.chain ?? "", stranger.chain);
    }
    for (const { height } of own) this.learn(height);
    const good = own.filter(({ height, catchingUp }) => !catchingUp && height + toleratedLag >= this.newest);
    for (const { endpoint } of good) endpoint.verified = true;
    const [best] = good;
    if (best !== undefined && !good.some(({ endpoint }) => endpoint === this.endpointAt(this.preferred))) {
      this.preferred = this.endpoints.indexOf(best.endpoint);
    }
    return this.newest;
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
      return await this.untilEnded(signal, (ended) => this.ask(endpoint, method, params, schema, ended));
    } catch (error) {
      if (!(error instanceof EndpointFailed)) throw error;
      this.leave(endpoint);
      if (error.otherChain !== undefined && this.endpoints.length === 1) throw error.otherChain;
      throw new NetworkUnreachable([endpoint.shown], [error.message], { cause: error });
    }
  }

  private async rounds<T>(attempt: (endpoint: Endpoint) => Promise<T>, ended: AbortSignal): Promise<T> {
    const deadline = Date.now() + this.options.patience;
    for (let delay = firstDelay; ; delay = Math.min(delay * 2, longestDelay)) {
      const reasons = new Map<Endpoint, EndpointFailed>();
      for (let tried = 0; tried < this.endpoints.length; tried++) {
        const endpoint = this.endpointAt(this.preferred);
        try {
          return await attempt(endpoint);
        } catch (error) {
          if (!(error instanceof EndpointFailed)) throw error;
          this.leave(endpoint);
          reasons.set(endpoint, error);
        }
      }
      const others = this.endpoints.map((endpoint) => reasons.get(endpoint)?.otherChain);
      if (others[0] !== undefined && !others.includes(undefined)) throw others[0];
      if (Date.now() + delay > deadline) throw this.unreachable(reasons);
      // Not all who lost the same node come back at the same moment.
      await pause(delay * (0.75 + Math.random() / 2), ended);
    }
  }

  /** What endpoints say of themselves, in their order; without those that are late or say nothing. */
  private async states(signal: AbortSignal) {
    const late = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const stateOf = async (endpoint: Endpoint, bounded: AbortSignal) => {
      try {
        const state = parseAnswer("status", NodeState, await this.post(endpoint, "status", {}, bounded));
        timer ??= setTimeout(() => late.abort(), surveyGrace);
        const { latest_block_height: height, catching_up: catchingUp } = state.sync_info;
        return [{ endpoint, chain: state.node_info.network, height, catchingUp }];
      } catch {
        return [];
      }
    };
    const answers = await withJoined([signal, late.signal], (bounded) =>
      Promise.all(this.endpoints.map((endpoint) => stateOf(endpoint, bounded))),
    );
    clearTimeout(timer);
    signal.throwIfAborted();
    return answers.flat();
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
      const { node_info, sync_info } = parseAnswer("status", NodeState, answer);
      const { network } = node_info;
      this.chain ??= network;
      if (network !== this.chain) {
        const wrong = new WrongChain(endpoint.shown, this.chain, network);
        throw new EndpointFailed(`is a node of chain ${network}, not of ${this.chain}`, wrong);
      }
      // Of itself even such a node may speak.
      if (sync_info.catching_up && method !== "status") {
        throw new EndpointFailed(`is still catching up, at block ${sync_info.latest_block_height}`);
      }
      endpoint.verified = !sync_info.catching_up;
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
      throw new EndpointFailed(networkReason(error, this.options.requestTimeout), undefined, { cause: error });
    }
    // CometBFT answers an error of a method with HTTP 500 and a proper JSON-RPC body: only the body tells.
    const answer = RpcAnswer.safeParse(parseJson(answered.text));
    if (!answer.success) throw new EndpointFailed(`HTTP ${answered.status}, not the answer of a node`);
    const failure = answer.data.error;
    if (failure) {
      const reason = failure.data || failure.message;
      if (lostItsApplication(reason)) throw new EndpointFailed(`its exchange process has ended (${reason})`);
      throw new QueryFailed(method, failure.code, reason);
    }
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

  /** Ends `work` with the signal and with all that this client does. */
  private untilEnded<T>(signal: AbortSignal | undefined, work: (ended: AbortSignal) => Promise<T>): Promise<T> {
    return withJoined([signal, this.options.signal], work);
  }

  private unreachable(reasons: ReadonlyMap<Endpoint, EndpointFailed>): NetworkUnreachable {
    return new NetworkUnreachable(
      this.endpoints.map(({ shown }) => shown),
      this.endpoints.map((endpoint) => reasons.get(endpoint)?.message ?? "not tried"),
    );
  }
}

/**
 * Whether the error is of the connection between CometBFT and the application behind it (`abci/client/socket_client.go`
 * of CometBFT 0.38). CometBFT ends itself then; a call in between gets the same code as any other failure, so the text
 * tells.
 */
function lostItsApplication(reason: string): boolean {
  return /^(read message|write to buffer|flush buffer): /.test(reason);
}

function behind(height: bigint, newest: bigint): string {
  return `is behind: at block ${height}, and block ${newest} has been seen`;
}
