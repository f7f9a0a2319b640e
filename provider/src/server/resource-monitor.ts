import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ResourceMonitorClient } from "@pulumi/pulumi/proto/resource_grpc_pb";
import {
  RegisterResourceOutputsRequest,
  type RegisterResourceRequest,
  type RegisterResourceResponse,
} from "@pulumi/pulumi/proto/resource_pb";
import { encode } from "../wire/codec";
import type { ValueMap } from "../wire/value";

/** A resource failed, which the engine has said, and it takes no more. */
export class MonitorShutDown extends Error {
  override readonly name = "MonitorShutDown";
  constructor() {
    super("the engine takes no more resources");
  }
}

/** The engine's monitor, with which components register their resources: one client for one Construct. */
export class ResourceMonitor implements Disposable {
  readonly #client: ResourceMonitorClient;

  constructor(address: string) {
    this.#client = new ResourceMonitorClient(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
    });
  }

  /** Resolves once the engine has made the resource, which takes as long as that takes. */
  register(request: RegisterResourceRequest, signal: AbortSignal): Promise<RegisterResourceResponse> {
    return unary(signal, (answer) => this.#client.registerResource(request, new Metadata(), {}, answer));
  }

  async registerOutputs(urn: string, outputs: ValueMap, signal: AbortSignal): Promise<void> {
    const request = new RegisterResourceOutputsRequest();
    request.setUrn(urn);
    request.setOutputs(encode(outputs));
    await unary(signal, (answer) => this.#client.registerResourceOutputs(request, new Metadata(), {}, answer));
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

async function unary<Response>(
  signal: AbortSignal,
  send: (answer: (error: ServiceError | null, response: Response) => void) => { cancel(): void },
): Promise<Response> {
  signal.throwIfAborted();
  const stop = new AbortController();
  try {
    return await new Promise<Response>((resolve, reject) => {
      const call = send((error, response) => (error === null ? resolve(response) : reject(error)));
      signal.addEventListener("abort", () => call.cancel(), { signal: stop.signal });
    });
  } catch (error) {
    signal.throwIfAborted();
    if (isShutDown(error)) {
      throw new MonitorShutDown();
    }
    throw error;
  } finally {
    stop.abort();
  }
}

function isShutDown(error: unknown): boolean {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return code === status.UNAVAILABLE || code === status.CANCELLED;
}
