import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { type Duplex, pipeline } from "node:stream";
import type { Flows } from "../flows";
import { type Dial, explainEgress, serveConnect, unbracketed } from "./connect-method";
import { passedOn } from "./headers";

export interface ForwardProxyOptions {
  readonly dial: Dial;
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
    this.#server.on("connect", ({ url }, stream, head) => {
      const { dial, onRefused } = this.#options;
      void serveConnect(url, stream, head, this.#flows.get(stream), dial, onRefused);
    });
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
      refuse(...explainEgress(error, this.#options.onRefused));
    }
  }
}
