import {
  QueryDatacentersRequest,
  QueryDatacentersResponse,
  QueryDeploymentByTokenRequest,
  QueryDeploymentRequest,
  QueryDeploymentResponse,
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
  QueryTotalsRequest,
  QueryTotalsResponse,
} from "@dcx/protocol";
import {
  queryDatacenters,
  queryDeployment,
  queryDeploymentByToken,
  queryDeployments,
  queryFulfillments,
  queryLeases,
  queryOrder,
  queryOrders,
  queryParameters,
  queryTotals,
} from "../state/queries";
import type { KeyValueReader } from "../state/store";
import type { QueryHandler } from "./cosmos-queries";

/** The service of query.proto, by its gRPC paths. */
export const exchangeQueries: Readonly<Record<string, QueryHandler>> = {
  "/dcx.exchange.v1.Query/Parameters": handler(QueryParametersRequest, QueryParametersResponse, queryParameters),
  "/dcx.exchange.v1.Query/Deployment": handler(QueryDeploymentRequest, QueryDeploymentResponse, queryDeployment),
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
};

function handler<Request, Response>(
  request: { decode(input: Uint8Array): Request },
  response: { encode(message: Response): { finish(): Uint8Array } },
  query: (state: KeyValueReader, height: bigint, request: Request) => Response,
): QueryHandler {
  return (state, data, height) => response.encode(query(state, height, request.decode(data))).finish();
}
