import {
  type DescFile,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { handleBidiStreamingCall, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { z } from "zod";
import { definitions } from "./definitions";
import { Status } from "./status";

const service = "grpc.reflection.v1.ServerReflection";
/** Under this name older clients ask for the same, with the same messages on the wire. */
const olderService = "grpc.reflection.v1alpha.ServerReflection";

const Request = z.object({
  fileByFilename: z.string().optional(),
  fileContainingSymbol: z.string().optional(),
  fileContainingExtension: z.object({ containingType: z.string(), extensionNumber: z.int() }).partial().optional(),
  allExtensionNumbersOfType: z.string().optional(),
  listServices: z.string().optional(),
});

/** gRPC's server reflection, under both of its names: from it tools such as grpcurl know what a node serves. */
export function reflectionServices(
  served: readonly string[],
): readonly [ServiceDefinition, UntypedServiceImplementation][] {
  const request = messageNamed("grpc.reflection.v1.ServerReflectionRequest");
  const response = messageNamed("grpc.reflection.v1.ServerReflectionResponse");
  const names = [...served, service].sort();
  const answer = (asked: Buffer): Buffer => {
    const original = toJson(request, fromBinary(request, asked), { registry: definitions });
    const said = fromJson(response, { originalRequest: original, ...answerTo(Request.parse(original), names) });
    return Buffer.from(toBinary(response, said));
  };
  const handle: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.on("data", (asked: Buffer) => {
      try {
        call.write(answer(asked));
      } catch {
        call.emit("error", { code: Status.InvalidArgument, details: `the request is no ${request.typeName}` });
      }
    });
    call.on("end", () => call.end());
  };
  const asIs = (bytes: Buffer): Buffer => bytes;
  return [service, olderService].map((name) => [
    {
      ServerReflectionInfo: {
        path: `/${name}/ServerReflectionInfo`,
        requestStream: true,
        responseStream: true,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    },
    { ServerReflectionInfo: handle },
  ]);
}

function answerTo(asked: z.infer<typeof Request>, served: readonly string[]): Record<string, JsonValue> {
  if (asked.listServices !== undefined) {
    return { listServicesResponse: { service: served.map((name) => ({ name })) } };
  }
  if (asked.fileByFilename !== undefined) {
    return filesOf(definitions.getFile(asked.fileByFilename), asked.fileByFilename);
  }
  if (asked.fileContainingSymbol !== undefined) {
    return filesOf(fileOfSymbol(asked.fileContainingSymbol), asked.fileContainingSymbol);
  }
  if (asked.fileContainingExtension !== undefined) {
    const { containingType = "", extensionNumber = 0 } = asked.fileContainingExtension;
    const extended = definitions.getMessage(containingType);
    const found = extended === undefined ? undefined : definitions.getExtensionFor(extended, extensionNumber);
    return filesOf(found?.file, `extension ${extensionNumber} of ${containingType}`);
  }
  const base = asked.allExtensionNumbersOfType ?? "";
  if (definitions.getMessage(base) === undefined) return notFound(base);
  const numbers = [...definitions].flatMap((one) =>
    one.kind === "extension" && one.extendee.typeName === base ? [one.number] : [],
  );
  return { allExtensionNumbersResponse: { baseTypeName: base, extensionNumber: numbers } };
}

/** Of a message, an enumeration, a service, an extension, or of a method or field of one. */
function fileOfSymbol(symbol: string): DescFile | undefined {
  const found = definitions.get(symbol);
  if (found !== undefined) return found.file;
  const within = definitions.get(symbol.slice(0, symbol.lastIndexOf(".")));
  const name = symbol.slice(symbol.lastIndexOf(".") + 1);
  if (within?.kind === "service" && within.methods.some((method) => method.name === name)) return within.file;
  if (within?.kind === "message" && within.fields.some((field) => field.name === name)) return within.file;
  return undefined;
}

/** A file, with all that it imports, each before what it imports itself. */
function filesOf(file: DescFile | undefined, asked: string): Record<string, JsonValue> {
  if (file === undefined) return notFound(asked);
  const files = new Set<DescFile>();
  const add = (one: DescFile): void => {
    if (files.has(one)) return;
    one.dependencies.forEach(add);
    files.add(one);
  };
  add(file);
  const encoded = [...files]
    .reverse()
    .map(({ proto }) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto)).toString("base64"));
  return { fileDescriptorResponse: { fileDescriptorProto: encoded } };
}

function notFound(asked: string): Record<string, JsonValue> {
  return { errorResponse: { errorCode: Status.NotFound, errorMessage: `${asked.slice(0, 200)}: not found` } };
}

/** @throws when the definitions have no such message */
function messageNamed(name: string): DescMessage {
  const found = definitions.getMessage(name);
  if (found === undefined) throw new Error(`the definitions have no message ${name}: run npm run generate`);
  return found;
}
