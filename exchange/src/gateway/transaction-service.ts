import { TxResponse } from "cosmjs-types/cosmos/base/abci/v1beta1/abci";
import { PageResponse } from "cosmjs-types/cosmos/base/query/v1beta1/pagination";
import {
  BroadcastMode,
  BroadcastTxRequest,
  BroadcastTxResponse,
  GetTxRequest,
  GetTxResponse,
  GetTxsEventRequest,
  GetTxsEventResponse,
  OrderBy,
  SimulateRequest,
} from "cosmjs-types/cosmos/tx/v1beta1/service";
import { Tx } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { formatTimestamp } from "../node/consensus/time";
import type { ChainAccess } from "./chain-access";
import { broadcastSchema, type CometTransaction, headerSchema, searchSchema, transactionSchema } from "./comet-json";
import { type NodeHandler, pageNumber } from "./node-handler";
import { invalidArgument, refusalOfQuery } from "./status";

const service = "/cosmos.tx.v1beta1.Service";

/** Sending transactions and finding them. */
export const transactionService: Readonly<Record<string, NodeHandler>> = {
  [`${service}/Simulate`]: async (access, request) => {
    const { tx, txBytes } = SimulateRequest.decode(request);
    const bytes = txBytes.length === 0 && tx !== undefined ? Tx.encode(tx).finish() : txBytes;
    const data = SimulateRequest.encode(SimulateRequest.fromPartial({ txBytes: bytes })).finish();
    const answer = access.query(`${service}/Simulate`, data, 0n);
    if (answer.code !== 0) throw refusalOfQuery(answer);
    return answer.value;
  },
  [`${service}/BroadcastTx`]: async (access, request) => {
    const { txBytes, mode } = BroadcastTxRequest.decode(request);
    if (txBytes.length === 0) throw invalidArgument("tx_bytes: invalid empty tx");
    const method = mode === BroadcastMode.BROADCAST_MODE_ASYNC ? "broadcast_tx_async" : "broadcast_tx_sync";
    if (mode === BroadcastMode.BROADCAST_MODE_BLOCK) {
      throw invalidArgument("mode: send with BROADCAST_MODE_SYNC, then look the transaction up by its hash");
    }
    const answer = await access.call(method, { tx: Buffer.from(txBytes).toString("base64") });
    const { code, log, codespace, hash } = broadcastSchema.parse(answer);
    const txResponse = TxResponse.fromPartial({ code, rawLog: log, codespace, txhash: hash });
    return BroadcastTxResponse.encode({ txResponse }).finish();
  },
  [`${service}/GetTx`]: async (access, request) => {
    const { hash } = GetTxRequest.decode(request);
    if (!/^[0-9a-fA-F]{64}$/.test(hash)) throw invalidArgument("hash: 64 hexadecimal digits are expected");
    const answer = await access.call("tx", { hash: Buffer.from(hash, "hex").toString("base64"), prove: false });
    const one = transactionSchema.parse(answer);
    const txResponse = describeTransaction(one, await timeOf(access, one.height));
    return GetTxResponse.encode({ tx: Tx.decode(one.tx), txResponse }).finish();
  },
  [`${service}/GetTxsEvent`]: searchTransactions,
};

async function searchTransactions(access: ChainAccess, request: Uint8Array): Promise<Uint8Array> {
  const { events, query, page, limit, orderBy, pagination } = GetTxsEventRequest.decode(request);
  const conditions = query === "" ? events.join(" AND ") : query;
  if (conditions === "") throw invalidArgument("query: missing, such as message.sender='…' AND tx.height>5");
  // Clients of the SDK before 0.50 send an offset.
  const paged = pageNumber({
    key: new Uint8Array(),
    countTotal: false,
    reverse: false,
    offset: page === 0n ? (pagination?.offset ?? 0n) : 0n,
    limit: limit === 0n ? (pagination?.limit ?? 0n) : limit,
  });
  const answer = await access.call("tx_search", {
    query: conditions,
    prove: false,
    page: (page === 0n ? paged.page : page).toString(),
    per_page: paged.size.toString(),
    order_by: orderBy === OrderBy.ORDER_BY_DESC ? "desc" : "asc",
  });
  const { txs, total_count: total } = searchSchema.parse(answer);
  const times = new Map<bigint, string>();
  for (const { height } of txs) {
    if (!times.has(height)) times.set(height, await timeOf(access, height));
  }
  return GetTxsEventResponse.encode({
    txs: txs.map(({ tx }) => Tx.decode(tx)),
    txResponses: txs.map((one) => describeTransaction(one, times.get(one.height) ?? "")),
    pagination: PageResponse.fromPartial({ total }),
    total,
  }).finish();
}

/** Of a block. Where it was pruned before its index the transaction is still found: without a time. */
async function timeOf(access: ChainAccess, height: bigint): Promise<string> {
  try {
    const answer = await access.call("header", { height: height.toString() });
    const { time } = headerSchema.parse((answer as { readonly header?: unknown }).header);
    return formatTimestamp(time);
  } catch {
    return "";
  }
}

function describeTransaction({ hash, height, tx, tx_result: result }: CometTransaction, timestamp: string): TxResponse {
  return TxResponse.fromPartial({
    height,
    txhash: Buffer.from(hash).toString("hex").toUpperCase(),
    codespace: result.codespace,
    code: result.code,
    data: Buffer.from(result.data).toString("hex").toUpperCase(),
    rawLog: result.log,
    info: result.info,
    gasWanted: result.gas_wanted,
    gasUsed: result.gas_used,
    tx: { typeUrl: Tx.typeUrl, value: tx },
    timestamp,
    events: result.events,
  });
}
