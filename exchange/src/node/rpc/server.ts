import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { type AccessRules, refusalOfAccess } from "./access";
import { CallParameters } from "./call-parameters";
import { answer, call, failure, type OnInternalError, parseRequest, type RpcResponse } from "./dispatch";
import { methods, type NodeView } from "./methods";
import { RpcError, RpcErrorCode } from "./rpc-error";
import { parseJson, serveSocket } from "./subscriptions";

export interface RpcListen extends AccessRules {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface RpcServer {
  /** http://host:port */
  readonly url: string;
  close(): Promise<void>;
}

const mostBodyBytes = 8 * 1024 * 1024;
const mostBatch = 64;
const mostSockets = 256;
const pingInterval = 30_000;
/** Milliseconds that a WebSocket's client has to say goodbye. */
const closePatience = 1_000;
const headers = {
  "content-type": "application/json",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/** Serves CometBFT's JSON-RPC over HTTP (POST, and GET with the parameters in the URI) and WebSocket (/websocket). */
export async function serveRpc(view: NodeView, listen: RpcListen, onError: OnInternalError): Promise<RpcServer> {
  const server = createServer((request, response) => {
    void serve(view, listen, request, response, onError);
  });
  // A client that sends slowly is not waited for.
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 60_000;
  server.maxConnections = 1024;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: mostBodyBytes });
  server.on("upgrade", (request, socket, head) => {
    const refusal = refusalOfUpgrade(request, sockets, listen);
    if (refusal !== undefined) {
      refuseUpgrade(socket, refusal);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      let alive = true;
      const pings = setInterval(() => {
        if (!alive) client.terminate();
        alive = false;
        client.ping();
      }, pingInterval);
      pings.unref();
      client.on("pong", () => {
        alive = true;
      });
      client.on("close", () => clearInterval(pings));
      serveSocket(client, view, onError);
    });
  });
  const address = await listenOn(server, listen);
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${host}:${address.port}`,
    close: async () => {
      await closeSockets(sockets);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Ends every WebSocket, politely first: a client that saw no close frame would try to come back. */
async function closeSockets(sockets: WebSocketServer): Promise<void> {
  const closed = [...sockets.clients].map((client) => {
    client.close(1001);
    return new Promise((resolve) => client.once("close", resolve));
  });
  const patience = setTimeout(() => {
    for (const client of sockets.clients) client.terminate();
  }, closePatience);
  await Promise.all(closed);
  clearTimeout(patience);
  sockets.close();
}

async function serve(
  view: NodeView,
  rules: AccessRules,
  request: IncomingMessage,
  response: ServerResponse,
  onError: OnInternalError,
): Promise<void> {
  const refusal = refusalOfAccess(request, rules);
  if (refusal !== undefined) {
    response.writeHead(403, { "content-type": "text/plain", connection: "close" }).end(`${refusal}\n`);
    return;
  }
  allowOrigin(request, response);
  if (request.method === "OPTIONS") {
    response.writeHead(204, {
      "access-control-allow-headers": "content-type",
      "access-control-allow-methods": "GET, POST",
    });
    response.end();
    return;
  }
  try {
    const result =
      request.method === "POST" ? await servePost(view, request, onError) : await serveGet(view, request, onError);
    const body = JSON.stringify(result.body);
    response.writeHead(result.status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
  } catch (error) {
    // The client went away in the middle, or sent too much.
    const status = error instanceof BodyTooLarge ? 413 : 400;
    if (!response.headersSent) response.writeHead(status, { connection: "close" });
    response.end();
  }
}

interface Reply {
  readonly status: number;
  readonly body: RpcResponse | RpcResponse[] | { readonly methods: readonly string[] };
}

async function servePost(view: NodeView, request: IncomingMessage, onError: OnInternalError): Promise<Reply> {
  const text = await readBody(request);
  try {
    const value = parseJson(text);
    if (!Array.isArray(value)) return reply(await answerOne(view, value, onError));
    if (value.length === 0 || value.length > mostBatch) {
      throw new RpcError(RpcErrorCode.InvalidRequest, "Invalid Request", `a batch holds 1 to ${mostBatch} requests`);
    }
    const responses: RpcResponse[] = [];
    for (const one of value) responses.push(await answerOne(view, one, onError));
    return { status: 200, body: responses };
  } catch (error) {
    return { status: 200, body: failure(-1, error, "", onError) };
  }
}

async function serveGet(view: NodeView, request: IncomingMessage, onError: OnInternalError): Promise<Reply> {
  const url = new URL(request.url ?? "/", "http://node");
  const name = url.pathname.slice(1);
  if (name === "") return { status: 200, body: { methods: Object.keys(methods).sort() } };
  try {
    const parameters = new CallParameters(Object.fromEntries(url.searchParams), "uri");
    return { status: 200, body: { jsonrpc: "2.0", id: -1, result: await call(view, name, parameters) } };
  } catch (error) {
    return reply(failure(-1, error, name, onError));
  }
}

async function answerOne(view: NodeView, value: unknown, onError: OnInternalError): Promise<RpcResponse> {
  try {
    return await answer(view, parseRequest(value), onError);
  } catch (error) {
    return failure(-1, error, "", onError);
  }
}

// A refused call is HTTP's 200 too in a POST to CometBFT 0.38's successors; cosmjs reads the body only then.
function reply(body: RpcResponse): Reply {
  return { status: 200, body };
}

class BodyTooLarge extends Error {}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > mostBodyBytes) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function allowOrigin(request: IncomingMessage, response: ServerResponse): void {
  const origin = request.headers.origin;
  if (origin === undefined) return;
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("vary", "origin");
}

function refusalOfUpgrade(request: IncomingMessage, sockets: WebSocketServer, rules: AccessRules): string | undefined {
  const path = new URL(request.url ?? "/", "http://node").pathname;
  if (path !== "/websocket") return "404 Not Found";
  if (refusalOfAccess(request, rules) !== undefined) return "403 Forbidden";
  return sockets.clients.size >= mostSockets ? "503 Service Unavailable" : undefined;
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
}

function listenOn(server: Server, listen: RpcListen): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("the node listens on no port"));
      else resolve(address);
    });
  });
}
