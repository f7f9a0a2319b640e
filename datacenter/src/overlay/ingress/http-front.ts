import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";

export interface HttpFrontOptions {
  /** Where TLS for this host name is, such as `https://shop.example.org`; undefined: nothing has that name. */
  readonly origin: (host: string) => string | undefined;
  /** Folder of challenges' answers. Absent: none. */
  readonly challenges?: string;
  readonly connections: number;
}

const challengePath = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/;

/** Plain HTTP, which leads to TLS, and answers whoever validates a host name for a certificate (RFC 8555, 8.3). */
export function createHttpFront(options: HttpFrontOptions): Server {
  const server = createServer(
    {
      maxHeaderSize: 8_192,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => answer(options, request, response),
  );
  server.maxConnections = options.connections;
  server.maxRequestsPerSocket = 100;
  return server;
}

function answer(
  { challenges, origin }: HttpFrontOptions,
  { headers, url = "/" }: IncomingMessage,
  response: ServerResponse,
): void {
  const host = (headers.host ?? "").toLowerCase().replace(/:\d*$/, "");
  const token = challengePath.exec(url)?.[1];
  const challenge = token === undefined || challenges === undefined ? undefined : readChallenge(challenges, token);
  const target = origin(host);
  if (challenge !== undefined) {
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(challenge);
  } else if (target !== undefined && url.startsWith("/")) {
    response.writeHead(308, { location: `${target}${url}` }).end();
  } else {
    response.writeHead(404, { "content-type": "text/plain" }).end("nothing is served by this name\n");
  }
}

function readChallenge(folder: string, token: string): Buffer | undefined {
  try {
    return readFileSync(join(folder, token));
  } catch {
    return undefined;
  }
}
