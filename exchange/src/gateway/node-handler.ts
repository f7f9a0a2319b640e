import type { PageRequest } from "cosmjs-types/cosmos/base/query/v1beta1/pagination";
import type { ChainAccess } from "./chain-access";
import { invalidArgument } from "./status";

/** Answers a call of a service that the node has to answer, not the application. @throws CallRefused or RpcError */
export type NodeHandler = (access: ChainAccess, request: Uint8Array) => Promise<Uint8Array>;

/** CometBFT's most. */
const mostPerPage = 100n;

/** CometBFT has pages by number, where the SDK has an offset. @throws CallRefused when the offset is within a page */
export function pageNumber(pagination: PageRequest | undefined): { readonly page: bigint; readonly size: bigint } {
  const limit = pagination?.limit ?? 0n;
  const size = limit === 0n || limit > mostPerPage ? mostPerPage : limit;
  const offset = pagination?.offset ?? 0n;
  if (offset % size !== 0n)
    throw invalidArgument(`pagination.offset: ${offset} is not a multiple of the limit, ${size}`);
  return { page: offset / size + 1n, size };
}
