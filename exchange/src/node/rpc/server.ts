import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { type AccessRules, refusalOfAccess } from "./access";
import { CallParameters } from "./call-parameters";
import { answer, call, failure, type OnInternalError, parseRequest, type RpcResponse } from "./dispatch";
import { allowOrigin, boundClients, type HttpListen, listenOn, lookForLate, readBody, targetOf, urlOf } from "./http";
import { methods, type NodeView } from "./methods";
import { RpcError, RpcErrorCode } from "./rpc-error";
import { parseJson, serveSocket } from "./subscriptions";

export type RpcListen = HttpListen;

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
  const server = createServer(lookForLate, (request, response) => serve(view, listen, request, response, onError));
  boundClients(server, listen);
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
  return {
    url: urlOf(address),
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

// PERF: this is what a transaction costs most. What can be answered at once is, without a promise in between.
function serve(
  view: NodeView,
  rules: AccessRules,
  request: IncomingMessage,
  response: ServerResponse,
  onError: OnInternalError,
): void {
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
  const respond = (reply: Reply | Promise<Reply>) => {
    if (reply instanceof Promise)
      reply.then(
        (late) => sendReply(response, late),
        () => refuse(response, 400),
      );
    else sendReply(response, reply);
  };
  if (request.method === "POST") {
    readBody(
      request,
      mostBodyBytes,
      (text) => respond(servePost(view, text, onError)),
      (status) => refuse(response, status),
    );
  } else {
    respond(serveGet(view, request, onError));
  }
}

function sendReply(response: ServerResponse, reply: Reply): void {
  const body = JSON.stringify(reply.body);
  response.writeHead(reply.status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
}

/** The client went away in the middle, or sent too much. */
function refuse(response: ServerResponse, status: number): void {
  if (!response.headersSent) response.writeHead(status, { connection: "close" });
  response.end();
}

interface Reply {
  readonly status: number;
  readonly body: RpcResponse | RpcResponse[] | { readonly methods: readonly string[] };
}

function servePost(view: NodeView, text: string, onError: OnInternalError): Reply | Promise<Reply> {
  try {
    const value = parseJson(text);
    if (Array.isArray(value)) return serveBatch(view, value, onError);
    const response = answerOne(view, value, onError);
    return response instanceof Promise ? response.then(reply) : reply(response);
  } catch (error) {
    return reply(failure(-1, error, "", onError));
  }
}

async function serveBatch(view: NodeView, requests: readonly unknown[], onError: OnInternalError): Promise<Reply> {
  if (requests.length === 0 || requests.length > mostBatch) {
    const problem = `a batch holds 1 to ${mostBatch} requests`;
    return reply(failure(-1, new RpcError(RpcErrorCode.InvalidRequest, "Invalid Request", problem), "", onError));
  }
  const responses: RpcResponse[] = [];
  for (const one of requests) responses.push(await answerOne(view, one, onError));
  return { status: 200, body: responses };
}

async function serveGet(view: NodeView, request: IncomingMessage, onError: OnInternalError): Promise<Reply> {
  const url = targetOf(request);
  const name = url.pathname.slice(1);
  if (name === "") return { status: 200, body: { methods: Object.keys(methods).sort() } };
  try {
    const parameters = new CallParameters(Object.fromEntries(url.searchParams), "uri");
    return { status: 200, body: { jsonrpc: "2.0", id: -1, result: await call(view, name, parameters) } };
  } catch (error) {
    return reply(failure(-1, error, name, onError));
  }
}

function answerOne(view: NodeView, value: unknown, onError: OnInternalError): RpcResponse | Promise<RpcResponse> {
  try {
    return answer(view, parseRequest(value), onError);
  } catch (error) {
    return failure(-1, error, "", onError);
  }
}

// A refused call is HTTP's 200 too in a POST to CometBFT 0.38's successors; cosmjs reads the body only then.
function reply(body: RpcResponse): Reply {
  return { status: 200, body };
}

function refusalOfUpgrade(request: IncomingMessage, sockets: WebSocketServer, rules: AccessRules): string | undefined {
  const path = targetOf(request).pathname;
  if (path !== "/websocket") return "404 Not Found";
  if (refusalOfAccess(request, rules) !== undefined) return "403 Forbidden";
  return sockets.clients.size >= mostSockets ? "503 Service Unavailable" : undefined;
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
}
