import { type DescService, fromBinary } from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { answerCall } from "./answer-call";
import type { ChainAccess } from "./chain-access";
import { definitions, pathOf } from "./definitions";
import { reflectionServices } from "./reflection";
import { CallRefused, invalidArgument, refusalOfCall, Status } from "./status";

export interface GrpcServer {
  /** host:port */
  readonly address: string;
  close(): Promise<void>;
}

const mostMessageBytes = 4 * 1024 * 1024;
const heightKey = "x-cosmos-block-height";

/**
 * Serves every query service of the definitions, bytes in and bytes out: what REST serves too; and reflection.
 * @param onError told of what went wrong in the node itself
 * @throws when nobody can listen there
 */
export async function serveGrpc(
  access: ChainAccess,
  listen: { readonly host: string; readonly port: number },
  onError: (error: unknown, path: string) => void,
): Promise<GrpcServer> {
  const server = new Server({
    "grpc.max_receive_message_length": mostMessageBytes,
    "grpc.max_concurrent_streams": 100,
  });
  const served = [...definitions].filter((one): one is DescService => one.kind === "service" && isQueried(one));
  for (const service of served) {
    server.addService(...serviceOf(service, access, onError));
  }
  for (const service of reflectionServices(served.map(({ typeName }) => typeName))) server.addService(...service);
  const host = listen.host.includes(":") ? `[${listen.host}]` : listen.host;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${listen.port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    address: `${host}:${port}`,
    close: async () => {
      server.forceShutdown();
    },
  };
}

/** Messages of transactions are services too, that nobody calls; and reflection is no query. */
function isQueried({ name }: DescService): boolean {
  return name !== "Msg" && name !== "ServerReflection" && name !== "ABCI" && name !== "ABCIApplication";
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes);
const asBytes = (buffer: Buffer): Uint8Array => buffer;

function serviceOf(
  service: DescService,
  access: ChainAccess,
  onError: (error: unknown, path: string) => void,
): [ServiceDefinition, UntypedServiceImplementation] {
  const definition: Record<string, MethodDefinition<Uint8Array, Uint8Array>> = {};
  const implementation: Record<string, handleUnaryCall<Uint8Array, Uint8Array>> = {};
  for (const method of service.methods) {
    const path = pathOf(method);
    definition[method.name] = {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: asBuffer,
      requestDeserialize: asBytes,
      responseSerialize: asBuffer,
      responseDeserialize: asBytes,
    };
    implementation[method.name] = (call, reply) => {
      const { request, metadata } = call;
      const answer = async () => {
        try {
          fromBinary(method.input, request);
        } catch {
          throw invalidArgument(`the request is no ${method.input.typeName}`);
        }
        return answerCall(access, path, request, heightOf(metadata));
      };
      answer().then(
        ({ value, height }) => {
          const headers = new Metadata();
          if (height !== undefined) headers.set(heightKey, height.toString());
          call.sendMetadata(headers);
          reply(null, value);
        },
        (error: unknown) => {
          let refusal = refusalOfCall(error);
          if (refusal === undefined) {
            onError(error, path);
            refusal = new CallRefused(Status.Internal, "the node failed to answer: its log says why");
          }
          reply({ code: refusal.status.valueOf(), details: refusal.message });
        },
      );
    };
  }
  return [definition, implementation];
}

function heightOf(metadata: Metadata): bigint {
  const [given = "0"] = metadata.get(heightKey);
  const text = given.toString();
  if (!/^\d{1,19}$/.test(text)) throw invalidArgument(`${heightKey}: a height is expected`);
  return BigInt(text);
}
