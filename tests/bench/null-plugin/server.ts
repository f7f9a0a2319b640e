import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { type IResourceProviderServer, ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  CheckResponse,
  ConfigureResponse,
  CreateResponse,
  DiffResponse,
  GetMappingResponse,
  GetMappingsResponse,
  GetSchemaResponse,
  ProviderHandshakeResponse,
  ReadResponse,
  UpdateResponse,
} from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";

/**
 * A plugin that does nothing: what is declared is what is there, at once. It has dcx's schema and type names, and asks
 * for a refresh before an update as dcx does, so the engine has the same work with both.
 */
const resources: IResourceProviderServer = {
  handshake: answering(() => {
    const response = new ProviderHandshakeResponse();
    response.setAcceptSecrets(true);
    response.setAcceptResources(true);
    return response;
  }),
  attach: answering(() => new Empty()),
  cancel: answering(() => new Empty()),
  getPluginInfo: answering(() => {
    const info = new PluginInfo();
    info.setVersion("0.1.0");
    return info;
  }),
  getSchema: answering(() => {
    const response = new GetSchemaResponse();
    response.setSchema(readFileSync(join(__dirname, "schema.json"), "utf8"));
    return response;
  }),
  checkConfig: answering((request) => {
    const response = new CheckResponse();
    response.setInputs(request.getNews());
    return response;
  }),
  diffConfig: answering(() => unchanged()),
  configure: answering(() => {
    const response = new ConfigureResponse();
    response.setAcceptsecrets(true);
    response.setAcceptresources(true);
    response.setSupportspreview(true);
    return response;
  }),
  getMapping: answering(() => new GetMappingResponse()),
  getMappings: answering(() => new GetMappingsResponse()),
  check: answering((request) => {
    const response = new CheckResponse();
    response.setInputs(request.getNews());
    return response;
  }),
  diff: answering(() => unchanged()),
  create: answering((request) => {
    const response = new CreateResponse();
    response.setId(request.getUrn());
    response.setProperties(request.getProperties());
    response.setRefreshBeforeUpdate(true);
    return response;
  }),
  read: answering((request) => {
    const response = new ReadResponse();
    response.setId(request.getId());
    response.setInputs(request.getInputs());
    response.setProperties(request.getProperties());
    response.setRefreshBeforeUpdate(true);
    return response;
  }),
  update: answering((request) => {
    const response = new UpdateResponse();
    response.setProperties(request.getNews());
    response.setRefreshBeforeUpdate(true);
    return response;
  }),
  delete: answering(() => new Empty()),
  invoke: refusing(),
  call: refusing(),
  construct: refusing(),
  parameterize: refusing(),
  list: (call) => {
    call.emit("error", { code: status.UNIMPLEMENTED, details: "this plugin lists nothing" });
  },
};

function unchanged(): DiffResponse {
  const response = new DiffResponse();
  response.setChanges(DiffResponse.DiffChanges.DIFF_NONE);
  return response;
}

function answering<Request, Response>(answer: (request: Request) => Response) {
  return (call: ServerUnaryCall<Request, Response>, respond: sendUnaryData<Response>): void =>
    respond(null, answer(call.request));
}

function refusing() {
  return (_call: unknown, respond: (error: { readonly code: status; readonly details: string }) => void): void =>
    respond({ code: status.UNIMPLEMENTED, details: "this plugin does nothing" });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => process.exit(0));
}
const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(ResourceProviderService, resources);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
  process.stdout.write(`${port}\n`);
});
