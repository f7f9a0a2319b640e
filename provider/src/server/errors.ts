import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ErrorResourceInitFailed } from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { WaitCancelled, WaitFailed, WaitTimeout } from "../await/wait";
import { ConfigurationError } from "../configuration/configuration";
import { NetworkError, type NetworkErrorCode, RevisionConflict } from "../network/driver";
import { PartialFailure } from "../resources/resource";
import { encode, WireError } from "../wire/codec";
import { RequestAborted } from "./cancellation";

/** Said by the border itself, with the code that fits. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The only place where errors become gRPC codes. The engine takes INTERNAL, UNKNOWN and DATA_LOSS for "what became of
 * the resource is not known" and everything else for "nothing happened" (pulumi/pulumi provider_plugin.go,
 * resourceStateAndError), so UNKNOWN only ever carries a PartialFailure, and the other two are never used.
 */
export function toServiceError(error: unknown, signal: AbortSignal): ServiceError {
  if (error instanceof PartialFailure) {
    return initializationFailed(error);
  }
  const [code, message] = describe(error, signal);
  return serviceError(code, message, new Metadata());
}

function describe(error: unknown, signal: AbortSignal): [status, string] {
  if (error instanceof RequestError) {
    return [error.code, error.message];
  }
  if (error instanceof ConfigurationError) {
    return [status.INVALID_ARGUMENT, `the configuration of dcx is incomplete or wrong:\n${error.message}`];
  }
  if (error instanceof WireError) {
    return [status.INVALID_ARGUMENT, error.message];
  }
  if (error instanceof NetworkError) {
    return [networkCodes[error.code], error.message];
  }
  if (error instanceof RevisionConflict) {
    return [status.ABORTED, error.message];
  }
  if (error instanceof WaitTimeout) {
    return [status.DEADLINE_EXCEEDED, error.message];
  }
  if (error instanceof WaitFailed) {
    return [status.FAILED_PRECONDITION, error.message];
  }
  if (error instanceof WaitCancelled) {
    return [status.CANCELLED, error.message || "cancelled"];
  }
  const aborted = error instanceof RequestAborted ? error : abortReason(error, signal);
  if (aborted !== undefined) {
    return [aborted.cause === "timeout" ? status.DEADLINE_EXCEEDED : status.CANCELLED, aborted.message];
  }
  if (isMistakeOfOurs(error)) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return [
      status.FAILED_PRECONDITION,
      `dcx has made a mistake of its own (${what}). Please report it to its authors.`,
    ];
  }
  return [status.FAILED_PRECONDITION, error instanceof Error ? error.message : String(error)];
}

const networkCodes: Readonly<Record<NetworkErrorCode, status>> = {
  unreachable: status.UNAVAILABLE,
  refused: status.FAILED_PRECONDITION,
  funds: status.FAILED_PRECONDITION,
  limit: status.FAILED_PRECONDITION,
  invalid: status.INVALID_ARGUMENT,
  cancelled: status.CANCELLED,
};

/** What libraries throw when a signal aborts is an AbortError of their own; the signal knows why. */
function abortReason(error: unknown, signal: AbortSignal): RequestAborted | undefined {
  const isAbort = error instanceof Error && (error.name === "AbortError" || error === signal.reason);
  return signal.aborted && isAbort && signal.reason instanceof RequestAborted ? signal.reason : undefined;
}

/** Errors that the language or a parser of our own data throws say nothing to a user about what to do. */
function isMistakeOfOurs(error: unknown): boolean {
  return (
    !(error instanceof Error) ||
    ["TypeError", "RangeError", "ReferenceError", "SyntaxError", "ZodError", "$ZodError", "AssertionError"].includes(
      error.name,
    )
  );
}

function initializationFailed(failure: PartialFailure): ServiceError {
  const detail = new ErrorResourceInitFailed();
  detail.setId(failure.id);
  detail.setProperties(encode(failure.state));
  detail.setReasonsList([...failure.reasons]);
  // A read that finds it in order would take the failure off it, and the engine would not call update to finish it.
  detail.setRefreshBeforeUpdate(false);
  if (failure.inputs !== undefined) {
    detail.setInputs(encode(failure.inputs));
  }
  const any = new Any();
  any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const rich = new Status();
  rich.setCode(status.UNKNOWN);
  rich.setMessage(failure.message);
  rich.setDetailsList([any]);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(rich.serializeBinary()));
  return serviceError(status.UNKNOWN, failure.message, metadata);
}

function serviceError(code: status, details: string, metadata: Metadata): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata });
}
