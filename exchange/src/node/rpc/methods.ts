import { merkleProof } from "@dcx/protocol";
import { GetTxRequest, GetTxResponse } from "cosmjs-types/cosmos/tx/v1beta1/service";
import { Tx } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { type RequestQuery, ResponseQuery } from "cosmjs-types/tendermint/abci/types";
import type { Application } from "../../application";
import { EnvelopeErrorCode, envelopeCodespace } from "../../application/envelope-error";
import { sha256 } from "../../storage/sha256";
import type { BlockStore, StoredBlock } from "../block-store";
import { blockProtocol } from "../consensus/block";
import { formatTimestamp } from "../consensus/time";
import type { ValidatorKey } from "../consensus/validator-key";
import type { ChainEvents } from "../events";
import type { ChainGenesis } from "../genesis-file";
import type { Mempool } from "../mempool/mempool";
import type { CallParameters } from "./call-parameters";
import {
  base64,
  formatBlockMeta,
  formatBlockWithId,
  formatCommit,
  formatEvents,
  formatHeader,
  formatPublicKey,
  formatQuery,
  formatResult,
  formatTransaction,
  formatValidator,
  hex,
  type Json,
} from "./format";
import { invalidParameters, refused } from "./rpc-error";
import { parseQuery, searchBlocks, searchTransactions } from "./search";

/** What the methods look at. */
export interface NodeView {
  readonly application: Application;
  readonly store: BlockStore;
  readonly mempool: Mempool;
  readonly events: ChainEvents;
  readonly validator: ValidatorKey;
  readonly genesis: ChainGenesis;
  readonly listenAddress: string;
  /** Told when somebody asks after a transaction. */
  attend(): void;
}

export type Method = (view: NodeView, parameters: CallParameters) => Json | Promise<Json>;

/** Milliseconds that broadcast_tx_commit waits for a block. */
const commitTimeout = 30_000;
const mostPerPage = 100;
/** The order of parameters, for calls that give them as a list. */
export const parameterNames: Readonly<Record<string, readonly string[]>> = {
  abci_query: ["path", "data", "height", "prove"],
  block: ["height"],
  block_by_hash: ["hash"],
  block_results: ["height"],
  block_search: ["query", "page", "per_page", "order_by"],
  blockchain: ["minHeight", "maxHeight"],
  broadcast_tx_async: ["tx"],
  broadcast_tx_commit: ["tx"],
  broadcast_tx_sync: ["tx"],
  commit: ["height"],
  consensus_params: ["height"],
  header: ["height"],
  subscribe: ["query"],
  tx: ["hash", "prove"],
  tx_search: ["query", "prove", "page", "per_page", "order_by"],
  unconfirmed_txs: ["limit"],
  unsubscribe: ["query"],
  validators: ["height", "page", "per_page"],
};

/** CometBFT 0.38's methods by name, but for the subscriptions, which need a WebSocket. */
export const methods: Readonly<Record<string, Method>> = {
  health: () => ({}),
  status,
  net_info: (view) => ({
    listening: false,
    listeners: [`Listener(@${view.listenAddress})`],
    n_peers: "0",
    peers: [],
  }),
  genesis: (view) => ({ genesis: { ...toJson(view.genesis.document), validators: [genesisValidator(view)] } }),
  abci_info: (view) => {
    const info = view.application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
    return {
      response: {
        data: info.data,
        version: info.version,
        app_version: info.appVersion.toString(),
        last_block_height: info.lastBlockHeight.toString(),
        last_block_app_hash: base64(info.lastBlockAppHash),
      },
    };
  },
  abci_query: (view, parameters) => {
    const request = {
      path: parameters.text("path"),
      data: parameters.hex("data"),
      height: parameters.optionalInteger("height") ?? 0n,
      prove: parameters.flag("prove"),
    };
    // Its root is in the header of the next block.
    if (request.prove) view.attend();
    return { response: formatQuery(queryTransaction(view, request) ?? view.application.query(request)) };
  },
  broadcast_tx_sync: (view, parameters) => {
    view.attend();
    const { hash, ...response } = view.mempool.offer(parameters.base64("tx"));
    const { code, data, log, codespace } = response;
    return { code, data: base64(data), log, codespace, hash: hex(hash) };
  },
  broadcast_tx_async: (view, parameters) => {
    view.attend();
    const { hash } = view.mempool.offer(parameters.base64("tx"));
    return { code: 0, data: "", log: "", codespace: "", hash: hex(hash) };
  },
  broadcast_tx_commit: broadcastAndWait,
  tx: (view, parameters) => {
    view.attend();
    const hash = parameters.base64("hash");
    const place = view.store.place(hash);
    const stored = place === undefined ? undefined : view.store.at(place.height);
    if (place === undefined || stored === undefined) throw refused(`tx (${hex(hash)}) not found`);
    return transactionAt(view, stored, place.index, parameters.flag("prove"));
  },
  tx_search: (view, parameters) => {
    view.attend();
    const places = searchTransactions(view.store, parseQuery(parameters.text("query")));
    const prove = parameters.flag("prove");
    const { items, total } = page(places, parameters);
    const txs = items.flatMap(({ height, index }) => {
      const stored = view.store.at(height);
      return stored === undefined ? [] : [transactionAt(view, stored, index, prove)];
    });
    return { txs, total_count: total.toString() };
  },
  block_search: (view, parameters) => {
    const { items, total } = page(searchBlocks(view.store, parseQuery(parameters.text("query"))), parameters);
    const blocks = items.flatMap((height) => {
      const stored = view.store.at(height);
      return stored === undefined ? [] : [formatBlockWithId(stored)];
    });
    return { blocks, total_count: total.toString() };
  },
  block: (view, parameters) => formatBlockWithId(blockAt(view, parameters)),
  header: (view, parameters) => ({ header: formatHeader(blockAt(view, parameters).block.header) }),
  block_by_hash: (view, parameters) => {
    const height = view.store.heightOf(parameters.base64("hash"));
    const stored = height === undefined ? undefined : view.store.at(height);
    return stored === undefined ? { block_id: emptyBlockId, block: null } : formatBlockWithId(stored);
  },
  block_results: (view, parameters) => {
    const { block, results } = blockAt(view, parameters);
    return {
      height: block.header.height.toString(),
      txs_results: results.txResults.map(formatResult),
      finalize_block_events: formatEvents(results.events),
      validator_updates: [],
      consensus_param_updates: null,
      app_hash: base64(results.appHash),
    };
  },
  blockchain: (view, parameters) => {
    const last = view.store.height;
    let to = parameters.optionalInteger("maxHeight") ?? 0n;
    if (to === 0n || to > last) to = last;
    let from = parameters.optionalInteger("minHeight") ?? 0n;
    if (from < view.store.base) from = view.store.base;
    if (to - from > 19n) from = to - 19n;
    if (from > to) throw refused(`min height ${from} can't be greater than max height ${to}`);
    const metas: Json[] = [];
    for (let height = to; height >= from && height > 0n; height--) {
      const stored = view.store.at(height);
      if (stored !== undefined) metas.push(formatBlockMeta(stored));
    }
    return { last_height: last.toString(), block_metas: metas };
  },
  commit: (view, parameters) => {
    const stored = blockAt(view, parameters);
    const height = stored.block.header.height;
    // Once the next block is there, the commit in it is the chain's own.
    const canonical = view.store.at(height + 1n)?.block.lastCommit;
    return {
      signed_header: {
        header: formatHeader(stored.block.header),
        commit: formatCommit(canonical ?? stored.commit),
      },
      canonical: canonical !== undefined,
    };
  },
  validators: (view, parameters) => {
    const height = parameters.optionalInteger("height") ?? view.store.height;
    // The set of the next block is known as well.
    if (height > view.store.height + 1n)
      throw refused(`height ${height} must be less than or equal to the current one`);
    const { items, total } = page([formatValidator(view.validator.publicKey, view.validator.address)], parameters);
    return {
      block_height: height.toString(),
      validators: items,
      count: items.length.toString(),
      total: total.toString(),
    };
  },
  consensus_params: (view) => {
    const { consensus_params: parameters } = toJson(view.genesis.document);
    return { block_height: view.store.height.toString(), consensus_params: parameters ?? {} };
  },
  num_unconfirmed_txs: (view) => unconfirmed(view, 0),
  unconfirmed_txs: (view, parameters) => {
    const limit = Number(parameters.optionalInteger("limit") ?? 30n);
    return unconfirmed(view, Math.min(limit, mostPerPage));
  },
};

const emptyBlockId = { hash: "", parts: { total: 0, hash: "" } };

function status(view: NodeView): Json {
  const { store, validator } = view;
  const latest = store.at(store.height);
  const earliest = store.at(store.base);
  if (latest === undefined || earliest === undefined) throw refused("there is no block yet: ask again");
  const info = view.application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
  return {
    node_info: {
      protocol_version: { p2p: "8", block: blockProtocol.toString(), app: info.appVersion.toString() },
      id: Buffer.from(validator.address).toString("hex"),
      listen_addr: view.listenAddress,
      network: view.genesis.chainId,
      // Clients choose how to talk to a node by the beginning of this.
      version: "0.38.0-dcx",
      channels: "",
      moniker: "dcx",
      other: { tx_index: "on", rpc_address: view.listenAddress },
    },
    sync_info: {
      latest_block_hash: hex(latest.commit.blockId.hash),
      latest_app_hash: hex(latest.results.appHash),
      latest_block_height: store.height.toString(),
      latest_block_time: formatTimestamp(latest.block.header.time),
      earliest_block_hash: hex(earliest.commit.blockId.hash),
      earliest_app_hash: hex(earliest.block.header.appHash),
      earliest_block_height: store.base.toString(),
      earliest_block_time: formatTimestamp(earliest.block.header.time),
      catching_up: false,
    },
    validator_info: {
      address: hex(validator.address),
      pub_key: formatPublicKey(validator.publicKey),
      voting_power: "10",
    },
  };
}

async function broadcastAndWait(view: NodeView, parameters: CallParameters): Promise<Json> {
  view.attend();
  const transaction = parameters.base64("tx");
  const hash = sha256(transaction);
  let end = () => {};
  const included = new Promise<Json>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(refused(`timed out waiting for tx to be included in a block: look ${hex(hash)} up with tx`)),
      commitTimeout,
    );
    // Of a node that has stopped nobody gets an answer.
    timer.unref();
    const stop = view.events.listen(({ transaction: one, block }) => {
      if (one === undefined || Buffer.compare(one.hash, hash) !== 0) return;
      resolve({ height: block.block.header.height.toString(), tx_result: formatResult(one.result) });
    });
    end = () => {
      clearTimeout(timer);
      stop();
    };
  });
  // Nobody may be waiting for it: what follows can fail first.
  included.catch(() => {});
  try {
    const { hash: _, ...check } = view.mempool.offer(transaction);
    const answer = { check_tx: formatResult(check), hash: hex(hash) };
    if (check.code !== 0) return { ...answer, tx_result: formatResult({ ...check, code: 0, log: "" }), height: "0" };
    const outcome = await included;
    return { ...answer, ...toJson(outcome) };
  } finally {
    end();
  }
}

/** The one query of the SDK that asks for what only the node keeps: a transaction by its hash. */
function queryTransaction(view: NodeView, request: RequestQuery): ResponseQuery | undefined {
  if (request.path !== "/cosmos.tx.v1beta1.Service/GetTx") return undefined;
  view.attend();
  const height = view.store.height;
  let hash: string;
  try {
    ({ hash } = GetTxRequest.decode(request.data));
  } catch {
    throw invalidParameters("data: not a GetTxRequest");
  }
  const place = view.store.place(Buffer.from(hash, "hex"));
  const stored = place === undefined ? undefined : view.store.at(place.height);
  const bytes = place === undefined ? undefined : stored?.block.data.txs[place.index];
  const result = place === undefined ? undefined : stored?.results.txResults[place.index];
  if (stored === undefined || bytes === undefined || result === undefined) {
    const log = `rpc error: code = NotFound desc = tx not found: ${hash}`;
    return ResponseQuery.fromPartial({
      code: EnvelopeErrorCode.KeyNotFound,
      codespace: envelopeCodespace,
      log,
      height,
    });
  }
  const value = GetTxResponse.encode(
    GetTxResponse.fromPartial({
      tx: Tx.decode(bytes),
      txResponse: {
        height: stored.block.header.height,
        txhash: hash.toUpperCase(),
        codespace: result.codespace,
        code: result.code,
        data: hex(result.data),
        rawLog: result.log,
        gasWanted: result.gasWanted,
        gasUsed: result.gasUsed,
        timestamp: formatTimestamp(stored.block.header.time),
        tx: { typeUrl: "/cosmos.tx.v1beta1.Tx", value: bytes },
        events: result.events,
      },
    }),
  ).finish();
  return ResponseQuery.fromPartial({ value, height });
}

function blockAt(view: NodeView, parameters: CallParameters): StoredBlock {
  const { base, height: last } = view.store;
  const height = parameters.optionalInteger("height") ?? last;
  if (height === 0n && last > 0n) throw refused("height must be greater than 0, but got 0");
  if (height > last)
    throw refused(`height ${height} must be less than or equal to the current blockchain height ${last}`);
  const stored = view.store.at(height);
  if (stored === undefined) throw refused(`height ${height} is not available, lowest height is ${base}`);
  return stored;
}

function transactionAt(view: NodeView, stored: StoredBlock, index: number, prove: boolean): Json {
  const bytes = stored.block.data.txs[index];
  if (bytes === undefined) throw refused(`block ${stored.block.header.height} has no transaction ${index}`);
  const hash = sha256(bytes);
  if (!prove) return formatTransaction(stored, index, hash);
  const hashes = stored.block.data.txs.map((one) => view.application.hashOf(one));
  return formatTransaction(stored, index, hash, merkleProof(hashes, index));
}

function page<T>(items: readonly T[], parameters: CallParameters): { readonly items: T[]; readonly total: number } {
  const order = parameters.optionalText("order_by") ?? "";
  if (order !== "" && order !== "asc" && order !== "desc") {
    throw refused("expected order_by to be either `asc` or `desc` or empty");
  }
  const size = Math.min(Number(parameters.optionalInteger("per_page") ?? 30n), mostPerPage) || 30;
  const pages = Math.max(1, Math.ceil(items.length / size));
  const number = Number(parameters.optionalInteger("page") ?? 1n);
  if (number < 1 || number > pages) throw refused(`page should be within [1, ${pages}] range, given ${number}`);
  const ordered = order === "desc" ? items.toReversed() : items;
  return { items: ordered.slice((number - 1) * size, number * size), total: items.length };
}

function unconfirmed(view: NodeView, limit: number): Json {
  const txs = view.mempool.list(limit).map(base64);
  return {
    n_txs: (limit === 0 ? view.mempool.size : txs.length).toString(),
    total: view.mempool.size.toString(),
    total_bytes: view.mempool.totalBytes.toString(),
    txs: limit === 0 ? null : txs,
  };
}

function genesisValidator(view: NodeView): Json {
  const { address, pub_key, voting_power } = formatValidator(view.validator.publicKey, view.validator.address);
  return { address, pub_key, power: voting_power, name: "" };
}

/** A value that came out of JSON, as what it is. */
function toJson(value: unknown): Record<string, Json> {
  return JSON.parse(JSON.stringify(value));
}
