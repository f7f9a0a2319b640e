import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { JsonValue } from "@bufbuild/protobuf";
import { refusalOfAccess } from "../node/rpc/access";
import {
  allowOrigin,
  boundClients,
  type HttpListen,
  listenOn,
  lookForLate,
  readBody,
  targetOf,
  urlOf,
} from "../node/rpc/http";
import { answerCall } from "./answer-call";
import type { ChainAccess } from "./chain-access";
import { pathOf } from "./definitions";
import { requestOfFields, requestOfJson } from "./request-json";
import { jsonOfResponse } from "./response-json";
import { type RoutedCall, route } from "./routes";
import { CallRefused, httpStatusOf, invalidArgument, refusalOfCall, Status } from "./status";

export interface RestServer {
  /** http://host:port */
  readonly url: string;
  close(): Promise<void>;
}

const mostBodyBytes = 2 * 1024 * 1024;
const heightHeader = "x-cosmos-block-height";

/**
 * Serves what grpc-gateway serves on Cosmos chains: every method whose definition has a `google.api.http` rule, with
 * its errors as {code, message, details}.
 * @param onError told of what went wrong in the node itself
 */
export async function serveRest(
  access: ChainAccess,
  listen: HttpListen,
  onError: (error: unknown, path: string) => void,
): Promise<RestServer> {
  const server = createServer(lookForLate, (request, response) => {
    void serve(access, listen, request, response, onError);
  });
  boundClients(server, listen);
  const address = await listenOn(server, listen);
  return {
    url: urlOf(address),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function serve(
  access: ChainAccess,
  rules: HttpListen,
  request: IncomingMessage,
  response: ServerResponse,
  onError: (error: unknown, path: string) => void,
): Promise<void> {
  const { pathname, searchParams } = targetOf(request);
  try {
    const refusal = refusalOfAccess(request, rules);
    if (refusal !== undefined) throw new CallRefused(Status.PermissionDenied, refusal);
    allowOrigin(request, response);
    if (request.method === "OPTIONS") {
      response.writeHead(204, {
        "access-control-allow-headers": `content-type, ${heightHeader}`,
        "access-control-allow-methods": "GET, POST",
      });
      response.end();
      return;
    }
    const call = route(request.method ?? "", pathname);
    if (call === undefined)
      throw new CallRefused(Status.NotFound, `${request.method} ${pathname}: there is no such path`);
    const { input, output } = call.method;
    const sent = request.method === "POST" ? requestOfJson(input, await bodyOf(request)) : fieldsOf(call, searchParams);
    const answer = await answerCall(access, pathOf(call.method), sent, heightOf(request));
    if (answer.height !== undefined) response.setHeader(`grpc-metadata-${heightHeader}`, answer.height.toString());
    reply(response, 200, jsonOfResponse(output, answer.value));
  } catch (error) {
    let refusal = refusalOfCall(error);
    if (refusal === undefined) {
      onError(error, pathname);
      refusal = new CallRefused(Status.Internal, "the node failed to answer: its log says why");
    }
    const { status, message } = refusal;
    reply(response, httpStatusOf(status), { code: status, message, details: [] });
  }
}

function fieldsOf({ method, fields }: RoutedCall, parameters: URLSearchParams): Uint8Array {
  return requestOfFields(method.input, [...parameters, ...fields]);
}

async function bodyOf(request: IncomingMessage): Promise<JsonValue> {
  const text = await new Promise<string>((resolve, reject) => {
    readBody(request, mostBodyBytes, resolve, (status) => {
      reject(
        invalidArgument(status === 413 ? `the body is larger than ${mostBodyBytes} bytes` : "the body is cut off"),
      );
    });
  });
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw invalidArgument("the body is not JSON");
  }
}

function heightOf(request: IncomingMessage): bigint {
  const given = request.headers[heightHeader] ?? "0";
  if (typeof given !== "string" || !/^\d{1,19}$/.test(given))
    throw invalidArgument(`${heightHeader}: a height is expected`);
  return BigInt(given);
}

function reply(response: ServerResponse, status: number, body: JsonValue): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
  response.end(text);
}
