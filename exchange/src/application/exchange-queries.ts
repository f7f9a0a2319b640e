import {
  QueryDatacentersRequest,
  QueryDatacentersResponse,
  QueryDelegationsRequest,
  QueryDelegationsResponse,
  QueryDeploymentByTokenRequest,
  QueryDeploymentRequest,
  QueryDeploymentResponse,
  QueryDeploymentsByIdsRequest,
  QueryDeploymentsByIdsResponse,
  QueryDeploymentsRequest,
  QueryDeploymentsResponse,
  QueryFulfillmentsRequest,
  QueryFulfillmentsResponse,
  QueryLeasesRequest,
  QueryLeasesResponse,
  QueryOrderRequest,
  QueryOrderResponse,
  QueryOrdersRequest,
  QueryOrdersResponse,
  QueryParametersRequest,
  QueryParametersResponse,
  QueryProposalsRequest,
  QueryProposalsResponse,
  QueryTotalsRequest,
  QueryTotalsResponse,
  QueryUnbondingsRequest,
  QueryUnbondingsResponse,
  QueryValidatorsRequest,
  QueryValidatorsResponse,
  QueryVotesRequest,
  QueryVotesResponse,
} from "@dcx/protocol";
import { queryProposals, queryVotes } from "../state/governance-queries";
import {
  queryDatacenters,
  queryDeployment,
  queryDeploymentByToken,
  queryDeployments,
  queryDeploymentsByIds,
  queryFulfillments,
  queryLeases,
  queryOrder,
  queryOrders,
  queryParameters,
  queryTotals,
} from "../state/queries";
import { queryDelegations, queryUnbondings, queryValidators } from "../state/stake-queries";
import type { KeyValueReader } from "../state/store";
import type { QueryHandler } from "./cosmos-queries";

/** The service of query.proto, by its gRPC paths. */
export const exchangeQueries: Readonly<Record<string, QueryHandler>> = {
  "/dcx.exchange.v1.Query/Parameters": handler(QueryParametersRequest, QueryParametersResponse, queryParameters),
  "/dcx.exchange.v1.Query/Deployment": handler(QueryDeploymentRequest, QueryDeploymentResponse, queryDeployment),
  "/dcx.exchange.v1.Query/DeploymentsByIds": handler(
    QueryDeploymentsByIdsRequest,
    QueryDeploymentsByIdsResponse,
    queryDeploymentsByIds,
  ),
  "/dcx.exchange.v1.Query/DeploymentByToken": handler(
    QueryDeploymentByTokenRequest,
    QueryDeploymentResponse,
    queryDeploymentByToken,
  ),
  "/dcx.exchange.v1.Query/Deployments": handler(QueryDeploymentsRequest, QueryDeploymentsResponse, queryDeployments),
  "/dcx.exchange.v1.Query/Order": handler(QueryOrderRequest, QueryOrderResponse, queryOrder),
  "/dcx.exchange.v1.Query/Orders": handler(QueryOrdersRequest, QueryOrdersResponse, queryOrders),
  "/dcx.exchange.v1.Query/Leases": handler(QueryLeasesRequest, QueryLeasesResponse, queryLeases),
  "/dcx.exchange.v1.Query/Fulfillments": handler(
    QueryFulfillmentsRequest,
    QueryFulfillmentsResponse,
    queryFulfillments,
  ),
  "/dcx.exchange.v1.Query/Datacenters": handler(QueryDatacentersRequest, QueryDatacentersResponse, queryDatacenters),
  "/dcx.exchange.v1.Query/Totals": handler(QueryTotalsRequest, QueryTotalsResponse, queryTotals),
  "/dcx.exchange.v1.Query/Validators": handler(QueryValidatorsRequest, QueryValidatorsResponse, queryValidators),
  "/dcx.exchange.v1.Query/Delegations": handler(QueryDelegationsRequest, QueryDelegationsResponse, queryDelegations),
  "/dcx.exchange.v1.Query/Unbondings": handler(QueryUnbondingsRequest, QueryUnbondingsResponse, queryUnbondings),
  "/dcx.exchange.v1.Query/Proposals": handler(QueryProposalsRequest, QueryProposalsResponse, queryProposals),
  "/dcx.exchange.v1.Query/Votes": handler(QueryVotesRequest, QueryVotesResponse, queryVotes),
};

function handler<Request, Response>(
  request: { decode(input: Uint8Array): Request },
  response: { encode(message: Response): { finish(): Uint8Array } },
  query: (state: KeyValueReader, height: bigint, request: Request) => Response,
): QueryHandler {
  return (state, data, height) => response.encode(query(state, height, request.decode(data))).finish();
}
