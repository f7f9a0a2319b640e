import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AccessRules } from "./access";

/** What the HTTP servers of a node have in common. */
export interface HttpListen extends AccessRules {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Told of whoever sent what is no request, or not in time. */
  readonly onUnreadable?: (details: { readonly from: string | undefined; readonly code: string }) => void;
}

/** For `createServer`: how often it looks for clients that are late, in milliseconds. */
export const lookForLate = { connectionsCheckingInterval: 2_000 };

/** A client that sends slowly is not waited for, and there are only so many. */
export function boundClients(server: Server, { onUnreadable }: Pick<HttpListen, "onUnreadable">): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const { code = error.name } = error;
    if (code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    onUnreadable?.({ from: "remoteAddress" in socket ? String(socket.remoteAddress) : undefined, code });
    const status = unreadable.get(code) ?? "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 60_000;
  server.maxConnections = 1024;
}

const unreadable: ReadonlyMap<string, string> = new Map([
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
]);

/** http://host:port */
export function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

/** What a request asks for. Of any target: a stranger writes it, and an exception here would end the node. */
export function targetOf(request: Pick<IncomingMessage, "url">): Pick<URL, "pathname" | "searchParams"> {
  const target = request.url ?? "/";
  // A path may begin with two slashes: read against a base, what follows would be the name of a host.
  if (!target.startsWith("/") && URL.canParse(target)) return new URL(target);
  return new URL(`http://node${target.startsWith("/") ? "" : "/"}${target}`);
}

/** Reads a body, then calls one of the two, once: `done`, or `failed` with the status to refuse it with. */
export function readBody(
  request: IncomingMessage,
  mostBytes: number,
  done: (text: string) => void,
  failed: (status: number) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let over = false;
  const fail = (status: number) => {
    if (over) return;
    over = true;
    failed(status);
  };
  request.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > mostBytes) {
      chunks.length = 0;
      fail(413);
    } else if (!over) {
      chunks.push(chunk);
    }
  });
  request.on("end", () => {
    if (over) return;
    over = true;
    const [only, ...more] = chunks;
    done(only !== undefined && more.length === 0 ? only.toString("utf8") : Buffer.concat(chunks).toString("utf8"));
  });
  request.on("error", () => fail(400));
}

/** Lets the page of an origin that is allowed read the answer. */
export function allowOrigin(request: IncomingMessage, response: ServerResponse): void {
  const origin = request.headers.origin;
  if (origin === undefined) return;
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("vary", "origin");
}

/** @throws when nobody can listen there */
export function listenOn(server: Server, listen: Pick<HttpListen, "host" | "port">): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("the node listens on no port"));
      else resolve(address);
    });
  });
}
