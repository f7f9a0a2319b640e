import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";

export interface Line {
  readonly message: string;
  readonly urn: string;
  readonly ephemeral: boolean;
}

/** The engine's side of the provider protocol, as far as a plugin calls it: it only keeps what it is told. */
export class FakeEngine {
  readonly lines: Line[] = [];
  readonly server = new Server();
  address = "";

  async start(): Promise<void> {
    this.server.addService(EngineService, {
      log: (call: ServerUnaryCall<LogRequest, Empty>, answer: sendUnaryData<Empty>) => {
        const request = call.request;
        this.lines.push({ message: request.getMessage(), urn: request.getUrn(), ephemeral: request.getEphemeral() });
        answer(null, new Empty());
      },
      getRootResource: unused,
      setRootResource: unused,
      startDebugging: unused,
      requirePulumiVersion: unused,
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.address = `127.0.0.1:${port}`;
  }

  close(): void {
    this.server.forceShutdown();
  }
}

function unused(): void {
  throw new Error("not used by the plugin");
}
