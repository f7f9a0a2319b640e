import {
  createServer,
  type IncomingMessage,
  request as plainRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { request as secureRequest } from "node:https";
import { type Duplex, pipeline } from "node:stream";
import type { Flows } from "../flows";
import { type Dial, serveConnect } from "./connect-method";
import { passedOn } from "./headers";

/** Bytes of one request: a transaction, in hexadecimal in JSON, is far below. */
const longestRequest = 4 << 20;
/** Milliseconds within which a node has to begin its answer. */
const patience = 30_000;

export interface ExchangeProxyOptions {
  /** URLs as in the datacenter's configuration, in order of preference. */
  readonly endpoints: readonly string[];
  /** Opens what a workload asks for by CONNECT: the agents of its deployment's holders. */
  readonly dial: Dial;
  /** Told of each CONNECT that was refused. */
  readonly onRefused: (message: string) => void;
}

/**
 * The exchange for the streams of workloads that are handed to it. Its JSON-RPC (CometBFT's, with its WebSocket) is passed
 * on to the first of the datacenter's own endpoints that answers; by CONNECT one gets to the agents of the deployment's
 * holders; and nowhere else. It listens nowhere.
 */
export class ExchangeProxy {
  readonly #endpoints: readonly URL[];
  readonly #server: Server;
  readonly #flows = new WeakMap<Duplex, Flows>();
  /** Index of the endpoint that answered last. */
  #preferred = 0;

  constructor({ endpoints, dial, onRefused }: ExchangeProxyOptions) {
    this.#endpoints = endpoints.map((endpoint) => new URL(endpoint));
    this.#server = createServer((request, response) => void this.#forward(request, response));
    this.#server.on("upgrade", (request, stream, head) => void this.#upgrade(request, stream, head));
    this.#server.on("connect", ({ url }, stream, head) => {
      void serveConnect(url, stream, head, this.#flows.get(stream), dial, onRefused);
    });
    this.#server.on("clientError", (_error, stream) => stream.destroy());
  }

  /** Serves one stream; what it opens belongs to `flows`. */
  serve(stream: Duplex, flows: Flows): void {
    this.#flows.set(stream, flows);
    flows.hold(stream);
    this.#server.emit("connection", stream);
  }

  /** Ends what it needs to look after connections that do nothing. */
  close(): void {
    this.#server.close();
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const left = new AbortController();
    response.once("close", () => left.abort());
    try {
      const body = await bodyOf(request);
      if (body === undefined) {
        response.writeHead(413, { connection: "close" }).end();
        return;
      }
      const found = await this.#ask(request, { ...passedOn(request.headers) }, body, left.signal);
      if (!("answer" in found)) throw new Error("the node changed the protocol");
      response.writeHead(found.answer.statusCode ?? 502, passedOn(found.answer.headers));
      pipeline(found.answer, response, () => undefined);
    } catch {
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { "content-type": "text/plain" }).end(`${unreachable}\n`);
    }
  }

  async #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    stream.on("error", () => stream.destroy());
    const flows = this.#flows.get(stream);
    try {
      const headers = { ...passedOn(request.headers), connection: "upgrade", upgrade: request.headers.upgrade };
      const found = await this.#ask(request, headers, Buffer.alloc(0), new AbortController().signal);
      if ("answer" in found || flows === undefined) {
        stream.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
        return;
      }
      const { rawHeaders } = found.upgraded;
      const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
      stream.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
      if (found.head.length > 0) stream.write(found.head);
      if (head.length > 0) found.stream.write(head);
      await flows.carry(stream, async () => found.stream);
    } catch {
      stream.end("HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n");
    }
  }

  /** Asks one endpoint after the other until one answers, beginning with the one that did last. */
  async #ask(request: IncomingMessage, headers: Headers, body: Buffer, signal: AbortSignal): Promise<Found> {
    let failure: unknown = new Error("there is no endpoint");
    for (let turn = 0; turn < this.#endpoints.length; turn++) {
      const index = (this.#preferred + turn) % this.#endpoints.length;
      const endpoint = this.#endpoints[index];
      if (endpoint === undefined) break;
      try {
        const found = await askOne(endpoint, request, headers, body, signal);
        this.#preferred = index;
        return found;
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}

const unreachable = "no node of the exchange answers the datacenter";

type Headers = Record<string, string | string[] | undefined>;

type Found =
  | { readonly answer: IncomingMessage }
  | { readonly upgraded: IncomingMessage; readonly stream: Duplex; readonly head: Buffer };

function askOne(
  endpoint: URL,
  request: IncomingMessage,
  headers: Headers,
  body: Buffer,
  signal: AbortSignal,
): Promise<Found> {
  const { host: _theirs, origin: _page, "content-length": _length, ...kept } = headers;
  // Without dots that would lead out of the endpoint's own path.
  const { pathname, search } = new URL(
    request.url?.startsWith("/") === true ? `http://node${request.url}` : "http://node",
  );
  const options = {
    method: request.method ?? "GET",
    path: `${endpoint.pathname.replace(/\/$/, "")}${pathname}${search}`,
    headers: { ...kept, ...(body.length === 0 ? {} : { "content-length": body.length }) },
    signal,
  };
  return new Promise((resolve, reject) => {
    const onward = (endpoint.protocol === "https:" ? secureRequest : plainRequest)(endpoint, options);
    onward.setTimeout(patience, () => onward.destroy(new Error("no answer in time")));
    onward.once("error", reject);
    onward.once("response", (answer) => {
      onward.setTimeout(0);
      resolve({ answer });
    });
    onward.once("upgrade", (upgraded, stream, head) => {
      onward.setTimeout(0);
      resolve({ upgraded, stream, head });
    });
    onward.end(body);
  });
}

/** Undefined: it is too long. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  let length = 0;
  const parts: Buffer[] = [];
  for await (const part of request) {
    length += part.length;
    if (length > longestRequest) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
