import type { z } from "zod";
import { type JoinedSignals, joinSignals, withJoined } from "../cancellation/join-signals";
import { pause } from "../cancellation/pause";
import {
  type PageRequest,
  QueryClientImpl,
  type QueryDatacentersResponse,
  type QueryDeploymentResponse,
  type QueryDeploymentsResponse,
  type QueryFulfillmentsResponse,
  type QueryLeasesResponse,
  type QueryOrderResponse,
  type QueryOrdersResponse,
  type QueryParametersResponse,
  type QueryTotalsResponse,
} from "../generated/dcx/exchange/v1/query";
import {
  type DeploymentId,
  DeploymentState,
  LeaseState,
  type OrderId,
  OrderState,
} from "../generated/dcx/exchange/v1/types";
import {
  AbciQueryAnswer,
  BlockAnswer,
  BlockchainAnswer,
  BlockResultsAnswer,
  BroadcastAnswer,
  StatusAnswer,
  TransactionAnswer,
} from "./comet-answers";
import { QueryFailed } from "./errors";
import {
  type AbciAnswer,
  type Account,
  type BroadcastVerdict,
  type CallOptions,
  type CommittedTransaction,
  committed,
  type NodeStatus,
  type QueryClientOptions,
} from "./exchange-answers";
import { decodeExchangeEvents, type ExchangeBlock, type ExchangeEvent } from "./exchange-events";
import { FailoverRpc } from "./failover-rpc";
import { allowancesQuery, type FeeGrant } from "./fee-grants";
import { NewestHeight } from "./newest-height";
import { shownUrl } from "./rpc-endpoint";

export type {
  AbciAnswer,
  Account,
  BroadcastVerdict,
  CallOptions,
  CommittedTransaction,
  NodeStatus,
  QueryClientOptions,
} from "./exchange-answers";

const notFoundCode = 22;
/** Further behind than this, a follower of blocks jumps ahead and says that it did. */
const mostCatchUpBlocks = 1_000n;

/**
 * Reads the exchange over CometBFT's JSON-RPC. Every method may throw NetworkUnreachable (after `patience`),
 * WrongChain, QueryFailed, or the signal's reason. A list answers one page: see `pages`.
 */
export class ExchangeQueryClient implements Disposable {
  private denomination: string | undefined;

  private constructor(
    private readonly rpc: FailoverRpc,
    private readonly newest: NewestHeight,
    private readonly ending: AbortController,
    /** Of the options and of `close`. */
    private readonly ended: AbortSignal,
    private readonly pollInterval: number,
    readonly chainId: string,
  ) {}

  /** `endpoints`: base URLs (http or https), tried in this order, each again with backoff after it failed. */
  static async connect(
    endpoints: string | readonly string[],
    options: QueryClientOptions = {},
  ): Promise<ExchangeQueryClient> {
    const make = ExchangeQueryClient.prepare(endpoints, options);
    try {
      // Where there are several they have to agree on the chain, and one that is behind is no place to begin.
      if (typeof endpoints !== "string" && endpoints.length > 1) await make.rpc.survey();
      const { node_info, sync_info } = await make.rpc.call("status", {}, StatusAnswer);
      const client = make.client(node_info.network);
      client.newest.learn(sync_info.latest_block_height);
      return client;
    } catch (error) {
      make.ended.leave();
      throw error;
    }
  }

  /**
   * A client for a chain that need not be reachable yet: who asks through it waits for it, or fails, as after it was
   * lost. Throws nothing; WrongChain shows at the first request.
   */
  static open(
    endpoints: string | readonly string[],
    options: QueryClientOptions & { readonly chainId: string },
  ): ExchangeQueryClient {
    return ExchangeQueryClient.prepare(endpoints, options).client(options.chainId);
  }

  private static prepare(endpoints: string | readonly string[], options: QueryClientOptions) {
    const ending = new AbortController();
    const ended: JoinedSignals = joinSignals(options.signal, ending.signal);
    const { signal } = ended;
    const rpc = new FailoverRpc(typeof endpoints === "string" ? [endpoints] : endpoints, {
      chainId: options.chainId,
      patience: options.patience ?? 10_000,
      requestTimeout: options.requestTimeout ?? 5_000,
      signal,
    });
    const pollInterval = options.pollInterval ?? 500;
    const newest = new NewestHeight(rpc, pollInterval);
    const client = (chainId: string): ExchangeQueryClient =>
      new ExchangeQueryClient(rpc, newest, ending, signal, pollInterval, chainId);
    return { rpc, client, ended };
  }

  /** The URL of the node that answered last, without what lets one in. */
  get endpoint(): string {
    return shownUrl(this.rpc.currentEndpoint);
  }

  async status({ signal }: CallOptions = {}): Promise<NodeStatus> {
    const { node_info, sync_info } = await this.rpc.call("status", {}, StatusAnswer, signal);
    this.newest.learn(sync_info.latest_block_height);
    return {
      chainId: node_info.network,
      height: sync_info.latest_block_height,
      time: sync_info.latest_block_time,
      catchingUp: sync_info.catching_up,
    };
  }

  /** Of the newest committed block. */
  async height(options?: CallOptions): Promise<bigint> {
    return (await this.status(options)).height;
  }

  parameters(options?: CallOptions): Promise<QueryParametersResponse> {
    return this.queries(options).Parameters({});
  }

  /** One deployment with all that belongs to it, at one height; `deployment` absent: there is none. */
  deployment(id: DeploymentId, options?: CallOptions): Promise<QueryDeploymentResponse> {
    return this.queries(options).Deployment({ id });
  }

  /** As `deployment` for each of several, at most 100, in their order and at one height. */
  async deploymentsByIds(
    ids: readonly DeploymentId[],
    options?: CallOptions,
  ): Promise<readonly QueryDeploymentResponse[]> {
    const { answers } = await this.queries(options).DeploymentsByIds({ ids: [...ids] });
    if (answers.length !== ids.length) {
      throw new QueryFailed(
        "DeploymentsByIds",
        0,
        `${ids.length} deployments were asked for, ${answers.length} answered`,
      );
    }
    return answers;
  }

  /** The tenant's active deployment with this client token; `deployment` absent: there is none. */
  deploymentByToken(tenant: string, clientToken: Uint8Array, options?: CallOptions): Promise<QueryDeploymentResponse> {
    return this.queries(options).DeploymentByToken({ tenant, clientToken });
  }

  deployments(
    request: { readonly tenant?: string; readonly state?: DeploymentState; readonly page?: PageRequest } = {},
    options?: CallOptions,
  ): Promise<QueryDeploymentsResponse> {
    const { tenant = "", state = DeploymentState.UNSPECIFIED, page } = request;
    return this.queries(options).Deployments({ tenant, state, page });
  }

  order(id: OrderId, options?: CallOptions): Promise<QueryOrderResponse> {
    return this.queries(options).Order({ id });
  }

  /** Open orders, or those in `state`. */
  orders(
    request: { readonly state?: OrderState; readonly deployment?: DeploymentId; readonly page?: PageRequest } = {},
    options?: CallOptions,
  ): Promise<QueryOrdersResponse> {
    const { state = OrderState.UNSPECIFIED, deployment, page } = request;
    return this.queries(options).Orders({ state, deployment, page });
  }

  /** Active leases, or those in `state`; of one datacenter or of one deployment. */
  leases(
    request: {
      readonly state?: LeaseState;
      readonly datacenter?: string;
      readonly deployment?: DeploymentId;
      readonly page?: PageRequest;
    } = {},
    options?: CallOptions,
  ): Promise<QueryLeasesResponse> {
    const { state = LeaseState.UNSPECIFIED, datacenter = "", deployment, page } = request;
    return this.queries(options).Leases({ state, datacenter, deployment, page });
  }

  /** Open and matched fulfillments of one datacenter. */
  fulfillments(
    request: { readonly datacenter: string; readonly page?: PageRequest },
    options?: CallOptions,
  ): Promise<QueryFulfillmentsResponse> {
    return this.queries(options).Fulfillments({ datacenter: request.datacenter, page: request.page });
  }

  datacenters(
    request: { readonly address?: string; readonly region?: string; readonly page?: PageRequest } = {},
    options?: CallOptions,
  ): Promise<QueryDatacentersResponse> {
    const { address = "", region = "", page } = request;
    return this.queries(options).Datacenters({ address, region, page });
  }

  totals(options?: CallOptions): Promise<QueryTotalsResponse> {
    return this.queries(options).Totals({});
  }

  /** Undefined: the chain knows no such account; nobody ever sent it anything. */
  async account(address: string, options: CallOptions = {}): Promise<Account | undefined> {
    const account = await this.sequenceOf(address, options);
    if (account === undefined) return undefined;
    const { QueryBalanceRequest, QueryBalanceResponse } = await import("cosmjs-types/cosmos/bank/v1beta1/query");
    this.denomination ??= (await this.parameters(options)).denomination;
    const path = "/cosmos.bank.v1beta1.Query/Balance";
    const request = QueryBalanceRequest.encode({ address, denom: this.denomination }).finish();
    const answer = accepted(path, await this.abciQuery(path, request, options));
    return { ...account, balance: BigInt(QueryBalanceResponse.decode(answer).balance?.amount ?? "0") };
  }

  /** As `account`, without the balance: one query. */
  async sequenceOf(address: string, options: CallOptions = {}): Promise<Omit<Account, "balance"> | undefined> {
    const [auth, { BaseAccount }, { PubKey }] = await Promise.all([
      import("cosmjs-types/cosmos/auth/v1beta1/query"),
      import("cosmjs-types/cosmos/auth/v1beta1/auth"),
      import("cosmjs-types/cosmos/crypto/secp256k1/keys"),
    ]);
    const path = "/cosmos.auth.v1beta1.Query/Account";
    const answer = await this.abciQuery(path, auth.QueryAccountRequest.encode({ address }).finish(), options);
    if (answer.code === notFoundCode || /code = NotFound/.test(answer.log)) return undefined;
    const encoded = auth.QueryAccountResponse.decode(accepted(path, answer)).account;
    if (encoded === undefined) return undefined;
    const { accountNumber, sequence, pubKey } = BaseAccount.decode(encoded.value);
    const publicKey = pubKey === undefined ? {} : { publicKey: PubKey.decode(pubKey.value).key };
    return { address, accountNumber, sequence, ...publicKey, height: answer.height };
  }

  /** Who pays fees of this account, and for what. */
  async feeGrants(grantee: string, options: CallOptions = {}): Promise<readonly FeeGrant[]> {
    const found: FeeGrant[] = [];
    for (let page: Uint8Array = new Uint8Array(); ; ) {
      const { path, data, read } = await allowancesQuery(grantee, page);
      const { grants, next } = read(accepted(path, await this.abciQuery(path, data, options)));
      found.push(...grants);
      if (next.length === 0) return found;
      page = next;
    }
  }

  /** By hash in hexadecimal. Undefined: in no committed block that this node has indexed. */
  async transaction(hash: string, { signal }: CallOptions = {}): Promise<CommittedTransaction | undefined> {
    const params = { hash: Buffer.from(hash, "hex").toString("base64"), prove: false };
    try {
      const answer = await this.rpc.call("tx", params, TransactionAnswer, signal);
      return committed(answer.hash, answer.height, answer.index, answer.tx, answer.tx_result);
    } catch (error) {
      if (error instanceof QueryFailed && /not found/.test(error.log)) return undefined;
      throw error;
    }
  }

  /** Transactions of a block with their results, in order. Throws QueryFailed when the node does not have it. */
  async blockTransactions(height: bigint, { signal }: CallOptions = {}): Promise<readonly CommittedTransaction[]> {
    const params = { height: height.toString() };
    const [block, results] = await Promise.all([
      this.rpc.call("block", params, BlockAnswer, signal),
      this.rpc.call("block_results", params, BlockResultsAnswer, signal),
    ]);
    const { createHash } = await import("node:crypto");
    return block.block.data.txs.map((transaction, index) => {
      const result = results.txs_results[index];
      if (result === undefined) throw new QueryFailed("block_results", 0, `block ${height} has no result ${index}`);
      const hash = createHash("sha256").update(transaction).digest("hex").toUpperCase();
      return committed(hash, height, index, transaction, result);
    });
  }

  /** What happened in a block. Throws QueryFailed when the node does not have it (any more, or yet). */
  async blockEvents(height: bigint, { signal }: CallOptions = {}): Promise<readonly ExchangeEvent[]> {
    const params = { height: height.toString() };
    const results = await this.rpc.call("block_results", params, BlockResultsAnswer, signal);
    return [
      ...results.txs_results.flatMap((result) => (result.code === 0 ? decodeExchangeEvents(result.events) : [])),
      ...decodeExchangeEvents(results.finalize_block_events),
    ];
  }

  /**
   * Every block from the next one on (or `from`), in order and without gaps, until the signal aborts (then it ends,
   * it does not throw). It goes on over lost connections; what it throws after `patience` is NetworkUnreachable,
   * and a new call with `from` continues there. Who is more than a thousand blocks behind gets the newest one, with
   * `complete` false.
   */
  async *blocks(signal: AbortSignal, from?: bigint): AsyncGenerator<ExchangeBlock, void, undefined> {
    const { signal: ended, leave } = joinSignals(signal, this.ended);
    try {
      let next = from ?? (await this.height({ signal: ended })) + 1n;
      for (let complete = true; ; complete = true) {
        const newest = await this.newest.reach(next, ended);
        if (newest - next > mostCatchUpBlocks) {
          next = newest;
          complete = false;
        }
        yield await this.block(next, complete, ended);
        next += 1n;
      }
    } catch (error) {
      if (!ended.aborted) throw error;
    } finally {
      leave();
    }
  }

  /** A block that was learned of by other ways: nothing is read from before it any more, at whichever endpoint. */
  saw(height: bigint): void {
    this.newest.learn(height);
  }

  /** Resolves with the newest height once that is `height` or more. */
  async waitForHeight(height: bigint, { signal }: CallOptions = {}): Promise<bigint> {
    return withJoined([signal, this.ended], (ended) => this.newest.reach(height, ended));
  }

  /** Any ABCI query; a refusal is an answer with a code. */
  async abciQuery(path: string, data: Uint8Array, { signal }: CallOptions = {}): Promise<AbciAnswer> {
    const params = { path, data: Buffer.from(data).toString("hex"), height: "0", prove: false };
    const heightOf = ({ response }: z.infer<typeof AbciQueryAnswer>): bigint => response.height;
    const { response } = await this.rpc.callForState("abci_query", params, AbciQueryAnswer, heightOf, signal);
    return response;
  }

  /** Any call of CometBFT's JSON-RPC, as an endpoint answers it: for what no other method here reads. */
  ask<T>(
    method: string,
    parameters: Readonly<Record<string, unknown>>,
    answer: z.ZodType<T>,
    { signal }: CallOptions = {},
  ): Promise<T> {
    return this.rpc.call(method, parameters, answer, signal);
  }

  /**
   * Offers a signed transaction to one node, once. A transaction that the node holds already counts as accepted.
   * Throws NetworkUnreachable when the node did not answer: it may or may not have got it.
   */
  async broadcast(transaction: Uint8Array, { signal }: CallOptions = {}): Promise<BroadcastVerdict> {
    const params = { tx: Buffer.from(transaction).toString("base64") };
    try {
      const answer = await this.rpc.callOnce("broadcast_tx_sync", params, BroadcastAnswer, signal);
      return { abciCode: answer.code, codespace: answer.codespace, log: answer.log };
    } catch (error) {
      if (!(error instanceof QueryFailed)) throw error;
      // CometBFT's mempool answers these two as errors of the call, not as codes of the application.
      if (/already exists in cache/.test(error.log)) return { abciCode: 0, codespace: "", log: error.log };
      if (/mempool is full/.test(error.log)) return { abciCode: 20, codespace: "sdk", log: error.log };
      return { abciCode: error.queryCode || 1, codespace: "rpc", log: error.log };
    }
  }

  /** Ends every call and iteration that is under way. */
  close(): void {
    const reason = new Error("The client of the exchange was closed.");
    this.ending.abort(reason);
    this.newest.close(reason);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private queries(options: CallOptions = {}): QueryClientImpl {
    return new QueryClientImpl({
      request: async (service, method, data) => {
        const path = `/${service}/${method}`;
        return accepted(path, await this.abciQuery(path, data, options));
      },
    });
  }

  private async block(height: bigint, complete: boolean, signal: AbortSignal): Promise<ExchangeBlock> {
    const bounds = { minHeight: height.toString(), maxHeight: height.toString() };
    for (;;) {
      const [headers, events] = await Promise.all([
        this.rpc.call("blockchain", bounds, BlockchainAnswer, signal).catch(ignoreQueryFailed),
        this.blockEvents(height, { signal }).catch(ignoreQueryFailed),
      ]);
      const header = headers?.block_metas.find((meta) => meta.header.height === height)?.header;
      if (header !== undefined && events !== undefined) return { height, time: header.time, events, complete };
      const status = await this.status({ signal });
      // A node that is behind the one that announced the block has it soon; one that is past it has pruned it.
      if (status.height > height)
        return { height, time: header?.time ?? status.time, events: events ?? [], complete: false };
      await pause(this.pollInterval, signal);
    }
  }
}

function accepted(path: string, answer: AbciAnswer): Uint8Array {
  if (answer.code !== 0) throw new QueryFailed(path, answer.code, answer.log);
  return answer.value;
}

function ignoreQueryFailed(error: unknown): undefined {
  if (!(error instanceof QueryFailed)) throw error;
  return undefined;
}
