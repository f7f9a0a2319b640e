import type {
  PageRequest,
  PageResponse,
  QueryDatacentersResponse,
  QueryDeploymentResponse,
  QueryDeploymentsResponse,
  QueryFulfillmentsResponse,
  QueryLeasesResponse,
  QueryOrderResponse,
  QueryOrdersResponse,
  QueryParametersResponse,
  QueryTotalsResponse,
} from "../generated/dcx/exchange/v1/query";
import type {
  DeploymentId,
  DeploymentState,
  LeaseState,
  OrderId,
  OrderState,
} from "../generated/dcx/exchange/v1/types";
import type { ExchangeBlock, ExchangeEvent } from "./exchange-events";

export interface QueryClientOptions {
  /** Throws WrongChain at an endpoint of another. Absent: the chain of the first endpoint that answers. */
  readonly chainId?: string;
  /** How long one call goes on trying endpoints before it throws NetworkUnreachable, in ms. Default 10 000. */
  readonly patience?: number;
  /** How long one endpoint may take to answer, in ms. Default 5 000. */
  readonly requestTimeout?: number;
  /** Distance of two looks for a new block where no WebSocket is to be had, in ms. Default 500. */
  readonly pollInterval?: number;
  /** Ends `connect` and every later call. */
  readonly signal?: AbortSignal;
}

export interface NodeStatus {
  readonly chainId: string;
  readonly height: bigint;
  readonly time: Date;
  /** True: the node is behind the chain and still catching up. */
  readonly catchingUp: boolean;
}

export interface Account {
  readonly address: string;
  readonly accountNumber: bigint;
  /** The committed one: number of transactions of this account that counted. */
  readonly sequence: bigint;
  /** Compressed secp256k1 key; absent before the account's first transaction. */
  readonly publicKey?: Uint8Array;
  /** Micro-units. */
  readonly balance: bigint;
  /** Height of the state that `sequence` is from. */
  readonly height: bigint;
}

export interface CommittedTransaction {
  /** Upper-case hexadecimal. */
  readonly hash: string;
  readonly height: bigint;
  /** Place in its block. */
  readonly index: number;
  /** 0: it succeeded. */
  readonly abciCode: number;
  readonly codespace: string;
  readonly log: string;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  /** The encoded TxMsgData. */
  readonly data: Uint8Array;
  /** The encoded TxRaw. */
  readonly transaction: Uint8Array;
  readonly events: readonly ExchangeEvent[];
}

/** Options of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the exchange over CometBFT's JSON-RPC. Every method may throw NetworkUnreachable (after `patience`),
 * WrongChain, QueryFailed, or the signal's reason. A list answers one page: see `pages`.
 */
export declare class ExchangeQueryClient implements Disposable {
  /** `endpoints`: base URLs (http or https), tried in this order, each again with backoff after it failed. */
  static connect(endpoints: string | readonly string[], options?: QueryClientOptions): Promise<ExchangeQueryClient>;
  readonly chainId: string;

  status(options?: CallOptions): Promise<NodeStatus>;
  /** Of the newest committed block. */
  height(options?: CallOptions): Promise<bigint>;
  parameters(options?: CallOptions): Promise<QueryParametersResponse>;
  /** One deployment with all that belongs to it, at one height; `deployment` absent: there is none. */
  deployment(id: DeploymentId, options?: CallOptions): Promise<QueryDeploymentResponse>;
  deploymentByToken(tenant: string, clientToken: Uint8Array, options?: CallOptions): Promise<QueryDeploymentResponse>;
  deployments(
    request?: { tenant?: string; state?: DeploymentState; page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryDeploymentsResponse>;
  order(id: OrderId, options?: CallOptions): Promise<QueryOrderResponse>;
  orders(
    request?: { state?: OrderState; deployment?: DeploymentId; page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryOrdersResponse>;
  leases(
    request?: { state?: LeaseState; datacenter?: string; deployment?: DeploymentId; page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryLeasesResponse>;
  fulfillments(
    request: { datacenter: string; page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryFulfillmentsResponse>;
  datacenters(
    request?: { address?: string; region?: string; page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryDatacentersResponse>;
  totals(options?: CallOptions): Promise<QueryTotalsResponse>;

  /** Undefined: the chain knows no such account; nobody ever sent it anything. */
  account(address: string, options?: CallOptions): Promise<Account | undefined>;
  /** By hash in hexadecimal. Undefined: in no committed block that this node has indexed. */
  transaction(hash: string, options?: CallOptions): Promise<CommittedTransaction | undefined>;
  /** What happened in a block. Throws QueryFailed when the node does not have it (any more, or yet). */
  blockEvents(height: bigint, options?: CallOptions): Promise<readonly ExchangeEvent[]>;
  /**
   * Every block from the next one on (or `from`), in order and without gaps, until the signal aborts (then it ends,
   * it does not throw). It goes on over lost connections; what it throws after `patience` is NetworkUnreachable,
   * and a new call with `from` continues there.
   */
  blocks(signal: AbortSignal, from?: bigint): AsyncIterable<ExchangeBlock>;
  /** Resolves with the newest height once that is `height` or more. */
  waitForHeight(height: bigint, options?: CallOptions): Promise<bigint>;

  close(): void;
  [Symbol.dispose](): void;
}

/**
 * The items of all pages, one after another:
 * `for await (const order of pages((page) => client.orders({ page }), (answer) => answer.orders))`.
 */
export declare function pages<Answer extends { page: PageResponse | undefined }, Item>(
  ask: (page: PageRequest) => Promise<Answer>,
  items: (answer: Answer) => readonly Item[],
  pageSize?: number,
): AsyncIterable<Item>;
