import {
  create,
  createFileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { QueryDeploymentsRequest, QueryDeploymentsResponse } from "@dcx/protocol";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { QueryAccountRequest } from "cosmjs-types/cosmos/auth/v1beta1/query";
import { GetNodeInfoResponse } from "cosmjs-types/cosmos/base/tendermint/v1beta1/query";
import { GetTxRequest, GetTxResponse } from "cosmjs-types/cosmos/tx/v1beta1/service";
import { z } from "zod";
import { definitions } from "./definitions";
import { Status } from "./status";
import { type ServedNode, smallDeployment, startServedNode } from "./testing/served-node";

jest.setTimeout(120_000);

/** gRPC queries by a client that knows the services' paths and messages alone. */

let served: ServedNode;
let client: Client;
let hash: string;

beforeAll(async () => {
  served = await startServedNode({ grpc: {} });
  client = new Client(served.node.clients.grpcAddress ?? "", credentials.createInsecure());
  ({ hash } = await served.client.submit([1, 2].map((token) => smallDeployment(served.tenant.address, token))));
});

afterAll(async () => {
  client.close();
  await served.close();
});

function call(path: string, request: Uint8Array, metadata = new Metadata()) {
  return new Promise<{ readonly value: Uint8Array; readonly height: string | undefined }>((resolve, reject) => {
    let height: string | undefined;
    const asIs = (bytes: Uint8Array) => Buffer.from(bytes);
    client
      .makeUnaryRequest(
        path,
        asIs,
        (bytes) => bytes,
        request,
        metadata,
        (error, value) => {
          if (error === null && value !== undefined) resolve({ value, height });
          else reject(error);
        },
      )
      .on("metadata", (headers) => {
        height = headers.get("x-cosmos-block-height")[0]?.toString();
      });
  });
}

const refused = (code: Status, details: RegExp): Partial<ServiceError> => ({
  code: code.valueOf(),
  details: expect.stringMatching(details),
});

it("answers the exchange's own queries, with the height that they were read at", async () => {
  const page = { key: new Uint8Array(), limit: 1, offset: 0n };
  const request = QueryDeploymentsRequest.encode({ tenant: served.tenant.address, state: 0, page }).finish();
  const { value, height } = await call("/dcx.exchange.v1.Query/Deployments", request);
  const answer = QueryDeploymentsResponse.decode(value);
  expect(answer.deployments).toHaveLength(1);
  expect(answer.page?.nextKey.length).toBeGreaterThan(0);
  expect(height).toBe(answer.height.toString());
});

it("answers what the node knows: itself, and transactions by hash", async () => {
  const info = await call("/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo", new Uint8Array());
  expect(GetNodeInfoResponse.decode(info.value).defaultNodeInfo?.network).toBe("dcx-served");
  const found = await call("/cosmos.tx.v1beta1.Service/GetTx", GetTxRequest.encode({ hash }).finish());
  expect(GetTxResponse.decode(found.value).txResponse).toMatchObject({ txhash: hash, code: 0 });
});

it("refuses with the status that says why", async () => {
  const nobody = QueryAccountRequest.encode({ address: "dcx1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqxwxhzr" }).finish();
  const account = "/cosmos.auth.v1beta1.Query/Account";
  await expect(call(account, nobody)).rejects.toMatchObject(refused(Status.NotFound, /not found/));
  await expect(call(account, Buffer.from([0xff]))).rejects.toMatchObject(refused(Status.InvalidArgument, /is no/));
  await expect(call("/cosmos.auth.v1beta1.Query/Params", new Uint8Array())).rejects.toMatchObject(
    refused(Status.Unimplemented, /unknown query path/),
  );
  const old = new Metadata();
  old.set("x-cosmos-block-height", "1");
  const totals = "/dcx.exchange.v1.Query/Totals";
  await expect(call(totals, new Uint8Array(), old)).rejects.toMatchObject(refused(Status.InvalidArgument, /height 1/));
});

describe("reflection", () => {
  const request = definitions.getMessage("grpc.reflection.v1.ServerReflectionRequest");
  const response = definitions.getMessage("grpc.reflection.v1.ServerReflectionResponse");

  const Files = z.object({ fileDescriptorProto: z.array(z.string()) });
  const Services = z.object({ service: z.array(z.object({ name: z.string() })) });

  /** What is answered to each question, in their order, under a name of the service. */
  async function reflected(version: "v1" | "v1alpha", questions: readonly JsonObject[]): Promise<JsonObject[]> {
    if (request === undefined || response === undefined) throw new Error("the definitions have both");
    const asIs = (bytes: Buffer) => bytes;
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const stream = client.makeBidiStreamRequest(path, asIs, asIs);
    for (const question of questions) stream.write(Buffer.from(toBinary(request, fromJson(request, question))));
    stream.end();
    const answers: JsonObject[] = [];
    for await (const bytes of stream) answers.push(toJson(response, fromBinary(response, bytes)) as JsonObject);
    return answers;
  }

  /** Definitions as a client makes them of what it was answered. */
  function definitionsIn(answer: JsonObject | undefined) {
    const { fileDescriptorProto } = Files.parse(answer?.["fileDescriptorResponse"]);
    const file = fileDescriptorProto.map((text) => fromBinary(FileDescriptorProtoSchema, Buffer.from(text, "base64")));
    return createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }));
  }

  it.each(["v1", "v1alpha"] as const)(
    "names the services that are served, and what defines them, as %s",
    async (version) => {
      const [listed, method, file] = await reflected(version, [
        { listServices: "" },
        { fileContainingSymbol: "dcx.exchange.v1.Query.Deployments" },
        { fileByFilename: "cosmos/bank/v1beta1/query.proto" },
      ]);
      const { service } = Services.parse(listed?.["listServicesResponse"]);
      const names = service.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(["dcx.exchange.v1.Query", "cosmos.staking.v1beta1.Query"]));
      expect(names.filter((name) => name.endsWith("Msg"))).toEqual([]);
      expect(definitionsIn(method).getService("dcx.exchange.v1.Query")?.method["deployments"]?.name).toBe(
        "Deployments",
      );
      expect(definitionsIn(file).getMessage("cosmos.bank.v1beta1.QueryBalanceRequest")?.fields).toHaveLength(2);
    },
  );

  it("finds extensions, and says what it does not have", async () => {
    const extended = "google.protobuf.MethodOptions";
    const [numbers, extension, nothing] = await reflected("v1", [
      { allExtensionNumbersOfType: extended },
      { fileContainingExtension: { containingType: extended, extensionNumber: 72295728 } },
      { fileContainingSymbol: "dcx.exchange.v1.Nothing" },
    ]);
    expect(numbers).toMatchObject({
      allExtensionNumbersResponse: { extensionNumber: expect.arrayContaining([72295728]) },
    });
    expect(definitionsIn(extension).getExtension("google.api.http")).toBeDefined();
    expect(nothing).toMatchObject({
      originalRequest: { fileContainingSymbol: "dcx.exchange.v1.Nothing" },
      errorResponse: { errorCode: Status.NotFound },
    });
  });

  it("refuses what is no request", async () => {
    const asIs = (bytes: Buffer) => bytes;
    const stream = client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      asIs,
      asIs,
    );
    stream.write(Buffer.from([0xff]));
    const failed = new Promise((_, reject) => stream.on("error", reject).resume());
    await expect(failed).rejects.toMatchObject(refused(Status.InvalidArgument, /is no grpc.reflection/));
  });
});
