import type { WebSocket } from "ws";
import { type Condition, matchesQuery } from "../event-query";
import type { ChainEvent } from "../events";
import { answer, failure, namedParameters, type OnInternalError, parseRequest, type RpcRequest } from "./dispatch";
import { base64, formatBlock, formatBlockId, formatEvents, formatHeader, formatResult, type Json } from "./format";
import type { NodeView } from "./methods";
import { RpcError, RpcErrorCode, refused } from "./rpc-error";
import { parseQuery } from "./search";

const mostSubscriptions = 32;
// A client that does not read what it asked for is let go, before it costs memory.
const mostUnsent = 16 * 1024 * 1024;

interface Subscription {
  readonly id: string | number | null;
  readonly query: string;
  readonly conditions: readonly Condition[];
}

/** Serves one WebSocket: the methods, and the subscriptions to what happens on the chain. */
export function serveSocket(socket: WebSocket, view: NodeView, onError: OnInternalError): void {
  const subscriptions = new Map<string, Subscription>();
  const stop = view.events.listen((event) => {
    for (const { id, query, conditions } of subscriptions.values()) {
      if (matchesQuery(conditions, event.values)) {
        send(socket, {
          jsonrpc: "2.0",
          id,
          result: { query, data: formatEvent(event), events: toRecord(event.values) },
        });
      }
    }
  });
  socket.on("close", stop);
  socket.on("error", stop);
  socket.on("message", (data, isBinary) => {
    let request: RpcRequest;
    try {
      if (isBinary) throw new RpcError(RpcErrorCode.ParseError, "Parse error", "a text message is expected");
      request = parseRequest(parseJson(data.toString()));
    } catch (error) {
      send(socket, failure(null, error, "", onError));
      return;
    }
    const id = request.id ?? null;
    if (request.method === "subscribe" || request.method === "unsubscribe" || request.method === "unsubscribe_all") {
      try {
        changeSubscriptions(subscriptions, request);
        send(socket, { jsonrpc: "2.0", id, result: {} });
      } catch (error) {
        send(socket, failure(id, error, request.method, onError));
      }
      return;
    }
    const response = answer(view, request, onError);
    if (response instanceof Promise) void response.then((late) => send(socket, late));
    else send(socket, response);
  });
}

/** @throws RpcError */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new RpcError(RpcErrorCode.ParseError, "Parse error", detail);
  }
}

function changeSubscriptions(subscriptions: Map<string, Subscription>, request: RpcRequest): void {
  if (request.method === "unsubscribe_all") {
    subscriptions.clear();
    return;
  }
  const query = namedParameters(request).text("query");
  if (request.method === "unsubscribe") {
    if (!subscriptions.delete(query)) throw refused("subscription not found");
    return;
  }
  if (subscriptions.has(query)) throw refused("already subscribed");
  if (subscriptions.size >= mostSubscriptions) throw refused(`at most ${mostSubscriptions} subscriptions a connection`);
  subscriptions.set(query, { id: request.id ?? null, query, conditions: parseQuery(query) });
}

function send(socket: WebSocket, message: Json): void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > mostUnsent) {
    socket.terminate();
    return;
  }
  socket.send(JSON.stringify(message));
}

function formatEvent(event: ChainEvent): Json {
  const { block, results, commit } = event.block;
  if (event.type === "NewBlockHeader") {
    return { type: "tendermint/event/NewBlockHeader", value: { header: formatHeader(block.header) } };
  }
  if (event.type === "NewBlock") {
    return {
      type: "tendermint/event/NewBlock",
      value: {
        block: formatBlock(block),
        block_id: formatBlockId(commit.blockId),
        result_finalize_block: {
          events: formatEvents(results.events),
          validator_updates: [],
          app_hash: base64(results.appHash),
        },
      },
    };
  }
  const { transaction } = event;
  const bytes = transaction === undefined ? undefined : block.data.txs[transaction.index];
  if (transaction === undefined || bytes === undefined) throw new Error("an event of a transaction without it");
  return {
    type: "tendermint/event/Tx",
    value: {
      TxResult: {
        height: block.header.height.toString(),
        index: transaction.index,
        tx: base64(bytes),
        result: formatResult(transaction.result),
      },
    },
  };
}

function toRecord(values: ReadonlyMap<string, readonly string[]>): Json {
  return Object.fromEntries(values);
}
