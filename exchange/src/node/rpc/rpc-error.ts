/** JSON-RPC's codes. */
export enum RpcErrorCode {
  ParseError = -32700,
  InvalidRequest = -32600,
  MethodNotFound = -32601,
  InvalidParameters = -32602,
  Internal = -32603,
}

/** What a caller did wrong, or what can't be done. `data` says more, as CometBFT does. */
export class RpcError extends Error {
  override readonly name = "RpcError";

  constructor(
    readonly code: RpcErrorCode,
    message: string,
    readonly data: string,
  ) {
    super(message);
  }
}

export function invalidParameters(data: string): RpcError {
  return new RpcError(RpcErrorCode.InvalidParameters, "Invalid params", data);
}

/** CometBFT answers whatever a method itself refuses as an internal error: clients look at the data. */
export function refused(data: string): RpcError {
  return new RpcError(RpcErrorCode.Internal, "Internal error", data);
}
