import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import type { Flows } from "../flows";
import { EgressFailed, EgressRefused } from "./dial";
import { passedOn } from "./headers";

export interface ForwardProxyOptions {
  /** Opens what a workload asks for. @throws {EgressRefused} {EgressFailed} */
  readonly dial: (target: { readonly host: string; readonly port: number }) => Promise<Socket>;
  /** Told of each request that was refused. */
  readonly onRefused: (message: string) => void;
}

/**
 * An HTTP forward proxy (RFC 9110: CONNECT for any TCP protocol, absolute URLs for plain HTTP) for streams that are handed to it.
 * It listens nowhere. What it does not open it answers with the reason: 403 for what is not allowed, 502 for what
 * does not answer.
 */
export class ForwardProxy {
  readonly #options: ForwardProxyOptions;
  readonly #server: Server;
  readonly #flows = new WeakMap<Duplex, Flows>();

  constructor(options: ForwardProxyOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#forward(request, response));
    this.#server.on("connect", (request, stream, head) => void this.#connect(request, stream, head));
    this.#server.on("clientError", (_error, stream) => stream.destroy());
    // An upload may take long; to say what is wanted may not.
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 20_000;
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

  async #connect(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    stream.on("error", () => stream.destroy());
    const target = authority(request.url ?? "");
    const flows = this.#flows.get(stream);
    if (target === undefined || flows === undefined) {
      stream.end(answer(400, "say host and port, as in CONNECT example.org:443"));
      return;
    }
    try {
      const other = await this.#options.dial(target);
      stream.write("HTTP/1.1 200 Connection established\r\n\r\n");
      if (head.length > 0) other.write(head);
      await flows.carry(stream, async () => other);
    } catch (error) {
      stream.end(answer(...this.#explain(error)));
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, message: string): void => {
      if (response.headersSent) response.destroy();
      else
        response
          .writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" })
          .end(`${message}\n`);
    };
    const url = URL.canParse(request.url ?? "") ? new URL(request.url ?? "") : undefined;
    const flows = this.#flows.get(request.socket);
    if (url === undefined || url.protocol !== "http:" || url.hostname === "" || flows === undefined) {
      refuse(400, "this is a proxy: ask for a whole http:// URL, or use CONNECT");
      return;
    }
    try {
      const port = url.port === "" ? 80 : Number(url.port);
      const other = await this.#options.dial({ host: unbracketed(url.hostname), port });
      flows.hold(other);
      response.once("close", () => other.destroy());
      const onward = openRequest({
        // What is given is already connected, to the address that was checked.
        createConnection: () => other,
        method: request.method,
        path: `${url.pathname}${url.search}`,
        headers: { ...passedOn(request.headers), host: url.host, connection: "close" },
      });
      onward.once("error", () => refuse(502, `${url.host} ended the connection without an answer`));
      onward.once("response", (found) => {
        response.writeHead(found.statusCode ?? 502, passedOn(found.headers));
        pipeline(found, response, () => undefined);
      });
      pipeline(request, onward, () => undefined);
    } catch (error) {
      refuse(...this.#explain(error));
    }
  }

  #explain(error: unknown): [status: number, message: string] {
    if (error instanceof EgressRefused) {
      this.#options.onRefused(error.message);
      return [403, error.message];
    }
    return [502, error instanceof EgressFailed ? error.message : "the datacenter could not open the connection"];
  }
}

function authority(text: string): { host: string; port: number } | undefined {
  const found = /^(\[[0-9A-Fa-f:.]+\]|[^:\s/@]+):(\d{1,5})$/.exec(text);
  const port = Number(found?.[2]);
  if (found?.[1] === undefined || port < 1 || port > 65_535) return undefined;
  return { host: unbracketed(found[1]), port };
}

function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}

const reasons: Readonly<Record<number, string>> = { 400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway" };

function answer(status: number, message: string): string {
  const body = `${message}\n`;
  return [
    `HTTP/1.1 ${status} ${reasons[status]}`,
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    "",
    body,
  ].join("\r\n");
}
