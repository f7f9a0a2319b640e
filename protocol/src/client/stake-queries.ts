import { ProposalStatus } from "../generated/dcx/exchange/v1/governance";
import {
  type PageRequest,
  QueryClientImpl,
  type QueryDelegationsResponse,
  type QueryProposalsResponse,
  type QueryUnbondingsResponse,
  type QueryValidatorsResponse,
  type QueryVotesResponse,
} from "../generated/dcx/exchange/v1/query";
import { QueryFailed } from "./errors";
import type { CallOptions, ExchangeQueryClient } from "./exchange-query-client";

/**
 * What an exchange says of validators, of stake and of what is voted on with it. Accounts are named by their own address,
 * also where they run a validator. A list answers one page: see `pages`. Throws as the client that it asks through.
 */
export class StakeQueries {
  constructor(private readonly client: Pick<ExchangeQueryClient, "abciQuery">) {}

  validators(
    { operator = "", page }: { readonly operator?: string; readonly page?: PageRequest } = {},
    options?: CallOptions,
  ): Promise<QueryValidatorsResponse> {
    return this.queries(options).Validators({ operator, page });
  }

  /** Of a delegator, or all that are with a validator. */
  delegations(
    request: ({ readonly delegator: string } | { readonly validator: string }) & { readonly page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryDelegationsResponse> {
    const whose =
      "delegator" in request
        ? { delegator: request.delegator, validator: "" }
        : { delegator: "", validator: request.validator };
    return this.queries(options).Delegations({ ...whose, page: request.page });
  }

  unbondings(
    { delegator, page }: { readonly delegator: string; readonly page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryUnbondingsResponse> {
    return this.queries(options).Unbondings({ delegator, page });
  }

  /** One by its id, or those in a status, or all. */
  proposals(
    request: { readonly id?: bigint; readonly status?: ProposalStatus; readonly page?: PageRequest } = {},
    options?: CallOptions,
  ): Promise<QueryProposalsResponse> {
    const { id = 0n, status = ProposalStatus.UNSPECIFIED, page } = request;
    return this.queries(options).Proposals({ id, status, page });
  }

  /** On a proposal that is not decided yet. */
  votes(
    { proposal, page }: { readonly proposal: bigint; readonly page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryVotesResponse> {
    return this.queries(options).Votes({ proposal, page });
  }

  private queries(options: CallOptions = {}): QueryClientImpl {
    return new QueryClientImpl({
      request: async (service, method, data) => {
        const path = `/${service}/${method}`;
        const { code, log, value } = await this.client.abciQuery(path, data, options);
        if (code !== 0) throw new QueryFailed(path, code, log);
        return value;
      },
    });
  }
}
