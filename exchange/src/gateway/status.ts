import { ExchangeErrorCode, exchangeCodespace } from "@dcx/protocol";
import { EnvelopeErrorCode } from "../application/envelope-error";
import { RpcError, RpcErrorCode } from "../node/rpc/rpc-error";
import type { QueryAnswer } from "./chain-access";

/** The status codes of gRPC that a node answers with. */
export enum Status {
  Unknown = 2,
  InvalidArgument = 3,
  NotFound = 5,
  PermissionDenied = 7,
  FailedPrecondition = 9,
  Unimplemented = 12,
  Internal = 13,
  Unavailable = 14,
}

/** A call that is not answered, and why: becomes a gRPC status, or grpc-gateway's JSON of it. */
export class CallRefused extends Error {
  override readonly name = "CallRefused";

  constructor(
    readonly status: Status,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export function invalidArgument(message: string): CallRefused {
  return new CallRefused(Status.InvalidArgument, message);
}

/** The HTTP status that grpc-gateway gives with a status of gRPC. */
export function httpStatusOf(status: Status): number {
  switch (status) {
    case Status.InvalidArgument:
    case Status.FailedPrecondition:
      return 400;
    case Status.PermissionDenied:
      return 403;
    case Status.NotFound:
      return 404;
    case Status.Unimplemented:
      return 501;
    case Status.Unavailable:
      return 503;
    default:
      return 500;
  }
}

/** Whatever a call threw, as a refusal; undefined where the node itself is at fault. */
export function refusalOfCall(error: unknown): CallRefused | undefined {
  if (error instanceof CallRefused) return error;
  if (!(error instanceof RpcError)) return undefined;
  const message = error.data === "" ? error.message : error.data;
  if (/not found/.test(message)) return new CallRefused(Status.NotFound, message, { cause: error });
  const status = error.code === RpcErrorCode.MethodNotFound ? Status.Unimplemented : Status.InvalidArgument;
  return new CallRefused(status, message, { cause: error });
}

const notFound: ReadonlySet<number> = new Set([
  ExchangeErrorCode.DeploymentNotFound,
  ExchangeErrorCode.InfrastructureNotFound,
  ExchangeErrorCode.OrderNotFound,
  ExchangeErrorCode.FulfillmentNotFound,
  ExchangeErrorCode.LeaseNotFound,
  ExchangeErrorCode.DatacenterNotFound,
  ExchangeErrorCode.ValidatorNotFound,
  ExchangeErrorCode.DelegationNotFound,
]);
const invalid: ReadonlySet<number> = new Set([ExchangeErrorCode.InvalidMessage, ExchangeErrorCode.InvalidAddress]);

/** Why the application did not answer a query. */
export function refusalOfQuery({ code, codespace, log }: QueryAnswer): CallRefused {
  // The SDK's own gateway takes the wrapping of its errors off too.
  const message = log.replace(/^rpc error: code = \w+ desc = /, "");
  return new CallRefused(statusOfQuery(code, codespace), message);
}

function statusOfQuery(code: number, codespace: string): Status {
  if (codespace === exchangeCodespace) {
    if (notFound.has(code)) return Status.NotFound;
    return invalid.has(code) ? Status.InvalidArgument : Status.FailedPrecondition;
  }
  switch (code) {
    case EnvelopeErrorCode.KeyNotFound:
    case EnvelopeErrorCode.UnknownAddress:
      return Status.NotFound;
    case EnvelopeErrorCode.UnknownRequest:
      return Status.Unimplemented;
    case EnvelopeErrorCode.Internal:
      return Status.Internal;
    default:
      return Status.InvalidArgument;
  }
}
