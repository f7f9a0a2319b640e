import { status } from "@grpc/grpc-js";
import { type ListRequest, ListResponse } from "@pulumi/pulumi/proto/provider_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { z } from "zod";
import { containsUnknown } from "../resources/inputs/shape";
import type { CallContext } from "../resources/resource";
import { decode } from "../wire/codec";
import { RequestError } from "./errors";
import type { CurrentBackend } from "./resource-calls";

/** Resources of a page where the engine does not say how many it wants. */
const PAGE_SIZE = 100;

/**
 * A continuation: where the next page begins, and how many the pages before it had of the limit that the first was
 * asked with. The protocol has the same limit asked with each page; `pulumi do` asks with what is left of it.
 */
const Continuation = z.object({ after: z.string(), limit: z.number(), returned: z.number() });

/** List: one page of a type's resources, as ids to import, and what to ask for the next with. */
export async function* list(
  backend: CurrentBackend,
  request: ListRequest,
  context: CallContext,
): AsyncGenerator<ListResponse, void, undefined> {
  const { resources } = await backend();
  const token = request.getToken();
  const resource = resources.get(token);
  if (resource?.list === undefined) {
    const known = [...resources.values()].filter((one) => one.list !== undefined).map((one) => one.token);
    throw new RequestError(status.UNIMPLEMENTED, `${token} can't be listed; ${known.join(", ")} can`);
  }
  const query = decode(request.getQuery() ?? new Struct());
  if (containsUnknown(query)) {
    const response = new ListResponse();
    response.setComputed(new ListResponse.Computed());
    yield response;
    return;
  }
  const { after, limit, returned } = continuationOf(request.getContinuationToken());
  const most = request.getLimit() < 1 ? Number.POSITIVE_INFINITY : request.getLimit();
  const left = most === limit ? most - returned : most;
  const size = Math.min(request.getPageSize() < 1 ? PAGE_SIZE : request.getPageSize(), left);
  const { found, next } = await resource.list({ query, after, size }, context);
  for (const { id, name } of found) {
    const result = new ListResponse.Result();
    result.setId(id);
    result.setName(name);
    const response = new ListResponse();
    response.setResult(result);
    yield response;
  }
  if (next !== undefined && found.length < left) {
    const before = most === limit ? returned : 0;
    const known = Number.isFinite(most) ? most : 0;
    const continuation = new ListResponse.Continuation();
    continuation.setContinuationToken(
      Buffer.from(JSON.stringify({ after: next, limit: known, returned: before + found.length })).toString("base64url"),
    );
    const response = new ListResponse();
    response.setContinuation(continuation);
    yield response;
  }
}

function continuationOf(token: string): { after: string | undefined; limit: number; returned: number } {
  if (token === "") {
    return { after: undefined, limit: 0, returned: 0 };
  }
  try {
    return Continuation.parse(JSON.parse(Buffer.from(token, "base64url").toString("utf8")));
  } catch {
    throw new RequestError(status.INVALID_ARGUMENT, "the continuation token is none that this plugin has given");
  }
}
