import { once } from "node:events";
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { Trace } from "../network/trace";
import type { CallContext } from "../resources/resource";
import type { Cancellation } from "./cancellation";
import type { EngineLog } from "./engine-log";
import { toServiceError } from "./errors";

/** What a message says about the request itself, where its type has such a field. */
interface Described {
  getUrn?(): string;
  getTimeout?(): number;
}

/**
 * Turns `work` into a gRPC handler. Guarantees, for each request: a signal that ends with it; whatever `work` throws
 * becomes one status; all that it logged arrives at the engine before its answer does.
 */
export class Requests {
  #inFlight = 0;

  constructor(
    readonly cancellation: Cancellation,
    readonly log: EngineLog,
    readonly trace: Trace | undefined,
  ) {}

  /** Requests that have not been answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  unary<Request extends object, Response>(
    work: (request: Request, context: CallContext) => Promise<Response> | Response,
  ): handleUnaryCall<Request, Response> {
    return (call, answer) => {
      this.#run(call, work).then(
        (response) => answer(null, response),
        (error) => answer(error),
      );
    };
  }

  /** As `unary`, for an answer in parts: whatever fails after some of them ends the stream with that error. */
  stream<Request extends object, Response>(
    work: (request: Request, context: CallContext) => AsyncIterable<Response>,
  ): handleServerStreamingCall<Request, Response> {
    return (call) => {
      const write = async (request: Request, context: CallContext): Promise<void> => {
        for await (const part of work(request, context)) {
          if (!call.write(part)) {
            await once(call, "drain", { signal: context.signal });
          }
        }
      };
      this.#run(call, write).then(
        () => call.end(),
        (error) => call.emit("error", error),
      );
    };
  }

  async #run<Request extends object, Response>(
    call: Pick<ServerUnaryCall<Request, unknown>, "request" | "getPath">,
    work: (request: Request, context: CallContext) => Promise<Response> | Response,
  ): Promise<Response> {
    const described: Described = call.request;
    const urn = described.getUrn?.() ?? "";
    using request = this.cancellation.request(described.getTimeout?.() ?? 0);
    const { signal } = request;
    this.#inFlight += 1;
    try {
      signal.throwIfAborted();
      const context: CallContext = {
        urn,
        signal,
        status: (message) => this.log.status(message, urn),
        log: (severity, message) => this.log.log(severity, message, urn),
      };
      const answer = async (): Promise<Response> => work(call.request, context);
      const operation = call.getPath().split("/").at(-1) ?? "";
      return await (this.trace === undefined ? answer() : this.trace.operation(operation, urn, answer));
    } catch (error) {
      const answer = toServiceError(error, signal);
      if (answer.code !== status.UNKNOWN && error instanceof Error && error.stack !== undefined) {
        // Only shown with --debug: where it came from, for whoever reports it.
        this.log.log("debug", error.stack, urn);
      }
      throw answer;
    } finally {
      this.#inFlight -= 1;
      await this.log.flush();
    }
  }
}
