import { z } from "zod";
import { CallParameters } from "./call-parameters";
import type { Json } from "./format";
import { type Method, methods, type NodeView, parameterNames } from "./methods";
import { invalidParameters, RpcError, RpcErrorCode, refused } from "./rpc-error";

const requestSchema = z.object({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.string(), z.number(), z.null()]).optional(),
  method: z.string(),
  // Each method reads its own: a schema over all values would look at every one of them twice.
  params: z
    .custom<Readonly<Record<string, unknown>> | readonly unknown[] | null>((value) => typeof value === "object")
    .optional(),
});
export type RpcRequest = z.infer<typeof requestSchema>;

type RpcId = string | number | null;
export type RpcResponse =
  | { readonly jsonrpc: "2.0"; readonly id: RpcId; readonly result: Json }
  | {
      readonly jsonrpc: "2.0";
      readonly id: RpcId;
      readonly error: { readonly code: number; readonly message: string; readonly data: string };
    };

/** Told of what went wrong in the node itself while it answered. */
export type OnInternalError = (error: unknown, method: string) => void;

/** Reads a JSON-RPC request. @throws RpcError */
export function parseRequest(value: unknown): RpcRequest {
  const parsed = requestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RpcError(RpcErrorCode.InvalidRequest, "Invalid Request", z.prettifyError(parsed.error));
}

/** A request's parameters by name, whichever way they were given. @throws RpcError */
export function namedParameters(request: RpcRequest): CallParameters {
  const { params } = request;
  if (!isList(params)) return new CallParameters(params ?? {}, "json");
  const names = parameterNames[request.method] ?? [];
  if (params.length > names.length) throw invalidParameters(`at most ${names.length} parameters are expected`);
  return new CallParameters(Object.fromEntries(params.map((value, index) => [names[index], value])), "json");
}

// Array.isArray does not tell a readonly list from a record.
function isList(params: RpcRequest["params"]): params is readonly unknown[] {
  return Array.isArray(params);
}

/** Answers a request, at once where the method does: what goes wrong becomes part of the answer. */
export function answer(
  view: NodeView,
  request: RpcRequest,
  onError: OnInternalError,
): RpcResponse | Promise<RpcResponse> {
  const id = request.id ?? null;
  const failed = (error: unknown) => failure(id, error, request.method, onError);
  try {
    const result = call(view, request.method, namedParameters(request));
    if (!(result instanceof Promise)) return { jsonrpc: "2.0", id, result };
    return result.then((late) => ({ jsonrpc: "2.0", id, result: late }), failed);
  } catch (error) {
    return failed(error);
  }
}

/** Calls a method. @throws RpcError, or what went wrong in the node */
export function call(view: NodeView, name: string, parameters: CallParameters): Json | Promise<Json> {
  const method: Method | undefined = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) throw new RpcError(RpcErrorCode.MethodNotFound, "Method not found", name);
  return method(view, parameters);
}

export function failure(id: RpcId, error: unknown, method: string, onError: OnInternalError): RpcResponse {
  let known: RpcError;
  if (error instanceof RpcError) {
    known = error;
  } else {
    onError(error, method);
    known = refused("the node failed to answer: its log says why");
  }
  return { jsonrpc: "2.0", id, error: { code: known.code, message: known.message, data: known.data } };
}
