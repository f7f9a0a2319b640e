import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Genesis } from "@dcx/protocol";
import { Genesis as GenesisCodec } from "@dcx/protocol";
import { RequestInitChain } from "cosmjs-types/tendermint/abci/types";
import type { Logger } from "pino";
import { Application } from "../application";
import { exchangeMachine } from "../application/exchange-machine";
import { exchangeQueries } from "../application/exchange-queries";
import { embeddedAccess } from "../gateway/chain-access";
import { type ClientInterfaces, type ClientUrls, serveClients, unreadableRequest } from "../gateway/serve-clients";
import { BlockStore } from "./block-store";
import { Chain } from "./consensus/chain";
import { Producer } from "./consensus/producer";
import { timestampOf } from "./consensus/time";
import { loadOrCreateValidatorKey } from "./consensus/validator-key";
import { ChainEvents } from "./events";
import { loadOrCreateGenesis } from "./genesis-file";
import { lockHome } from "./home-lock";
import { Mempool } from "./mempool/mempool";
import { Opened } from "./opened";
import type { NodeView } from "./rpc/methods";
import { type RpcServer, serveRpc } from "./rpc/server";

export interface EmbeddedNodeOptions {
  /** The folder that holds all of it. Made where it is missing. */
  readonly home: string;
  /** Needed on the first start. */
  readonly genesis?: Genesis;
  readonly rpc: {
    /** Default: 127.0.0.1. */
    readonly host?: string;
    /** Default 0: any that is free. */
    readonly port?: number;
    readonly allowedHosts?: readonly string[];
    readonly allowedOrigins?: readonly string[];
  };
  /** What else is served. Default: nothing. */
  readonly clients?: ClientInterfaces;
  readonly logger: Logger;
  /** How many blocks are kept, with their results. Default: 200,000. */
  readonly retainedBlocks?: bigint;
  /** Milliseconds between the blocks of a chain on which nothing happens. Default: 5,000. */
  readonly idleInterval?: number;
  /** Most transactions, and bytes of them, that wait for a block. Default: 5,000 and 32 MiB. */
  readonly mempool?: { readonly transactions: number; readonly bytes: number };
}

export interface EmbeddedNode {
  /** http://host:port of CometBFT's JSON-RPC; the WebSocket is at /websocket. */
  readonly rpcUrl: string;
  /** What is served besides, where it is. */
  readonly clients: ClientUrls;
  readonly chainId: string;
  /** Of the last committed block. */
  readonly height: bigint;
  /** Stops making blocks and serving, and returns when all is on the disk and the folder is free. */
  close(): Promise<void>;
  /** Resolves after close; rejects when the node had to stop: a block that differs, or the disk. */
  readonly done: Promise<void>;
}

const attention = 30_000;

/**
 * Starts a whole exchange in this process: one validator, whose key signs everything, so whoever can read the folder
 * is trusted. Killed at any point, it comes back with the same app hash and without the loss of anything committed.
 * Resolves when the first block is there and calls are answered.
 * @throws when the folder is in use, is of another chain, or its blocks and its state do not fit
 */
export async function startEmbeddedNode(options: EmbeddedNodeOptions): Promise<EmbeddedNode> {
  const { home, logger } = options;
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const opened = new Opened();
  try {
    const lock = await lockHome(home);
    opened.push(() => lock.release());
    const genesis = loadOrCreateGenesis(join(home, "genesis.json"), options.genesis);
    const validator = loadOrCreateValidatorKey(join(home, "validator.json"));
    const application = new Application({
      path: join(home, "state"),
      machine: exchangeMachine,
      queries: exchangeQueries,
      log: logger,
      writeBehind: true,
    });
    opened.push(() => application.close());
    const store = new BlockStore(join(home, "blocks"), options.retainedBlocks ?? 200_000n);
    opened.push(() => store.close());
    if (application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" }).lastBlockHeight === 0n) {
      application.initChain(
        RequestInitChain.fromPartial({
          time: timestampOf(genesis.time),
          chainId: genesis.chainId,
          initialHeight: 1n,
          appStateBytes: Buffer.from(JSON.stringify(GenesisCodec.toJSON(genesis.appState))),
        }),
      );
    }
    if (application.chainId !== genesis.chainId) {
      throw new Error(`the state in ${home} is of chain ${application.chainId}, its genesis of ${genesis.chainId}`);
    }
    const chain = new Chain(application, store, validator, genesis.time);
    const executed = await chain.replay();
    if (executed > 0) logger.info({ blocks: executed }, "executed again what the state lacked");

    let finished = () => {};
    let failed = (_error: unknown) => {};
    const done = new Promise<void>((resolve, reject) => {
      finished = resolve;
      failed = reject;
    });
    // A caller may look at it late, or never.
    done.catch(() => {});
    const events = new ChainEvents();
    const mempool: Mempool = new Mempool(
      application,
      options.mempool ?? { transactions: 5_000, bytes: 32 * 1024 * 1024 },
      () => producer.wake(),
    );
    const stopForGood = (error: unknown) => {
      logger.fatal({ err: error }, "the node stops: it must not go on with this chain");
      void opened
        .close()
        .catch((err) => logger.error({ err }, "closing failed"))
        .finally(() => failed(error));
    };
    const producer = new Producer(
      application,
      chain,
      mempool,
      events,
      { idleInterval: options.idleInterval ?? 5_000, attention },
      stopForGood,
    );
    opened.push(async () => producer.stop());
    if (store.height === 0n) producer.startNow();
    else producer.start();

    const host = options.rpc.host ?? "127.0.0.1";
    const view: NodeView = {
      application,
      store,
      mempool,
      events,
      validator,
      genesis,
      listenAddress: `tcp://${host}:${options.rpc.port ?? 0}`,
      attend: () => producer.attend(),
    };
    const rpc: RpcServer = await serveRpc(
      view,
      {
        host,
        port: options.rpc.port ?? 0,
        allowedHosts: options.rpc.allowedHosts ?? [],
        allowedOrigins: options.rpc.allowedOrigins ?? [],
        onUnreadable: (details) => logger.info(details, unreadableRequest),
      },
      (error, method) => logger.error({ err: error, method }, "a call could not be answered"),
    );
    opened.push(() => rpc.close());
    const { close: closeClients, ...clients } = await serveClients(
      {
        access: embeddedAccess(view),
        executed: application.executed,
        folders: { state: join(home, "state"), blocks: join(home, "blocks") },
      },
      options.clients ?? {},
      logger,
    );
    opened.push(closeClients);
    logger.info({ chain: genesis.chainId, height: store.height.toString(), rpc: rpc.url }, "the node is running");
    return {
      rpcUrl: rpc.url,
      clients,
      chainId: genesis.chainId,
      get height() {
        return store.height;
      },
      close: async () => {
        await opened.close();
        finished();
      },
      done,
    };
  } catch (error) {
    await opened.close().catch((err) => logger.error({ err }, "closing failed"));
    throw error;
  }
}
