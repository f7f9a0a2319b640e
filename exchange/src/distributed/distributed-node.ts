import { mkdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PasswordSource } from "@dcx/protocol";
import type { Logger } from "pino";
import { z } from "zod";
import { HaltHeightReached } from "../abci/answer";
import { type AbciServer, serveAbci } from "../abci/serve";
import { Application } from "../application";
import { exchangeMachine } from "../application/exchange-machine";
import { exchangeQueries } from "../application/exchange-queries";
import { distributedAccess } from "../gateway/chain-access";
import { type ClientInterfaces, type ClientUrls, serveClients } from "../gateway/serve-clients";
import { lockHome } from "../node/home-lock";
import { Opened } from "../node/opened";
import { Restore } from "../snapshots/restore";
import { Snapshots } from "../snapshots/snapshots";
import { sha256 } from "../storage/sha256";
import { decryptConsensusKey } from "./consensus-key-file";
import { engineHome, readEngineGenesis } from "./engine-home";
import { type Engine, startEngine } from "./engine-process";
import { indexLastBlocks } from "./index-last-blocks";

export interface DistributedNodeOptions {
  /** Made by `initializeEngine`, with the genesis that all validators share. */
  readonly home: string;
  /** Path of the `cometbft` command. */
  readonly cometbft: string;
  /** Where CometBFT's JSON-RPC listens. */
  readonly rpc: { readonly host: string; readonly port: number };
  /** What else is served. Default: nothing. */
  readonly clients?: ClientInterfaces;
  /** Where other nodes reach this one. */
  readonly peers: {
    readonly host: string;
    readonly port: number;
    /** `id@host:port` of nodes to keep a connection to. */
    readonly persistent: readonly string[];
  };
  /** Blocks between two snapshots that other nodes can begin from. Default 0: none are made. */
  readonly snapshotInterval?: number;
  /** Newest blocks that are kept, at least `evidenceBlocks`. Absent: all. */
  readonly keptBlocks?: bigint | undefined;
  /** Of the last block in which the node takes part: it votes for none after it, and stops some seconds later. */
  readonly haltHeight?: bigint | undefined;
  /** Asked where the key that signs blocks is encrypted. Default: there is none. */
  readonly password?: PasswordSource | undefined;
  /** In place of what config.toml says, by its keys. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

export interface DistributedNode {
  readonly rpcUrl: string;
  /** What is served besides, where it is. */
  readonly clients: ClientUrls;
  readonly chainId: string;
  /** Resolves once the node has a block and answers. Rejects when it stops before that. */
  readonly ready: Promise<void>;
  /** Ends the engine, then the application. */
  close(): Promise<void>;
  /** Resolves after close; rejects when the node had to stop: its engine went away, or the application failed. */
  readonly done: Promise<void>;
}

/** Milliseconds for which a node that has come to its last block is there for others that lack it. */
const haltGrace = 5_000;
/** Transactions that wait for a block at most, where the operator says nothing else: CometBFT's own default. */
const defaultMempoolSize = 5_000;
/**
 * And their bytes: as many as in the embedded node. CometBFT would take 1 GiB, and hands all of it to PrepareProposal in
 * one frame.
 */
const defaultMempoolBytes = 32 * 1024 * 1024;
/**
 * How long CometBFT keeps what it has to tell a peer, and how long it then looks for more: 100 ms each by its own default. A
 * node that follows by gossip needs four such messages for a block, so that one that was behind gained no more than two
 * blocks a second, and on a chain of fast blocks none: what is signed at its height is too late for the validators.
 */
const gossip = { "p2p.flush_throttle_timeout": "10ms", "consensus.peer_gossip_sleep_duration": "10ms" };
/** The part of it that transactions may fill which have no place of their own in a block: as in the embedded node's. */
const ordinaryPart = 0.75;

const statusAnswer = z.object({
  result: z.object({
    sync_info: z.object({ latest_block_height: z.string().regex(/^\d+$/), latest_block_hash: z.string() }),
  }),
});

/**
 * Runs a node of an exchange under CometBFT: the application in this process, the engine as a child. The two live and
 * die together: where one ends, the other is ended and `done` rejects, for whoever supervises this process to start it
 * again; from any point of a crash both go on with the same app hash.
 * @throws when the folder is in use or holds no genesis
 */
export async function startDistributedNode(options: DistributedNodeOptions): Promise<DistributedNode> {
  const { home, logger, rpc, peers } = options;
  const genesis = readEngineGenesis(home);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const opened = new Opened();
  try {
    const lock = await lockHome(home);
    opened.push(() => lock.release());
    const database = join(home, "state");
    const mempoolSize = Number(options.settings?.["mempool.size"] ?? defaultMempoolSize);
    const mempoolBytes = Number(options.settings?.["mempool.max_txs_bytes"] ?? defaultMempoolBytes);
    const application = new Application({
      path: database,
      machine: exchangeMachine,
      queries: exchangeQueries,
      log: logger,
      cachedTransactions: 10_000,
      ...(options.keptBlocks === undefined ? {} : { keptBlocks: options.keptBlocks }),
      mostPending: {
        transactions: Math.floor(mempoolSize * ordinaryPart),
        bytes: Math.floor(mempoolBytes * ordinaryPart),
      },
    });
    opened.push(() => application.close());

    const snapshots = new Snapshots({
      folder: join(home, "snapshots"),
      database,
      interval: options.snapshotInterval ?? 0,
      logger,
    });
    opened.push(() => snapshots.close());
    let finished = () => {};
    let failed = (_error: unknown) => {};
    const done = new Promise<void>((resolve, reject) => {
      finished = resolve;
      failed = reject;
    });
    done.catch(() => {});
    const stopForGood = (error: unknown) => {
      logger.fatal({ err: error }, "the node stops");
      void opened
        .close()
        .catch((err) => logger.error({ err }, "closing failed"))
        .finally(() => failed(error));
    };

    const { haltHeight } = options;
    if (haltHeight !== undefined && application.height >= haltHeight) throw new HaltHeightReached(haltHeight);
    let halting: NodeJS.Timeout | undefined;
    opened.push(() => clearTimeout(halting));
    const reached = (height: bigint) => {
      logger.warn({ height: height.toString() }, "the chain has come to the height to halt at");
      halting = setTimeout(() => stopForGood(new HaltHeightReached(height)), haltGrace);
    };
    const halt = haltHeight === undefined ? undefined : { height: haltHeight, reached: () => reached(haltHeight) };
    const served = { application, snapshots, restore: new Restore(application), halt };

    const folder = makeSocketFolder(home);
    opened.push(() => rmSync(folder, { recursive: true, force: true }));
    const socket = join(folder, "application.sock");
    const abci: AbciServer = await serveAbci(served, {
      socket,
      onFatal: stopForGood,
      onUnreadable: ({ message }) => logger.warn({ problem: message }, "a connection to the ABCI socket was ended"),
    });
    opened.push(() => abci.close());

    const settings = {
      "consensus.timeout_commit": `${genesis.parameters?.blockInterval ?? 500n}ms`,
      "consensus.create_empty_blocks": "true",
      "mempool.size": String(mempoolSize),
      "mempool.max_txs_bytes": String(mempoolBytes),
      ...gossip,
      ...options.settings,
      // The application counts what waits by what it is asked again.
      "mempool.recheck": "true",
      "rpc.laddr": `tcp://${rpc.host}:${rpc.port}`,
      "p2p.laddr": `tcp://${peers.host}:${peers.port}`,
      "p2p.persistent_peers": peers.persistent.join(","),
    };
    const { cometbft } = options;
    const key = await decryptConsensusKey(engineHome(home), options.password ?? (() => undefined));
    await indexLastBlocks({ home, cometbft, height: application.height, settings, logger });
    const engine: Engine = startEngine({ home, cometbft, application: socket, settings, key, logger });
    opened.push(() => engine.close());
    void engine.gone.then((how) => {
      if (!opened.isClosing) stopForGood(new Error(`CometBFT ${how}`));
    });

    const rpcUrl = `http://${rpc.host}:${rpc.port}`;
    const source = {
      access: distributedAccess(application, rpcUrl),
      executed: application.executed,
      folders: { state: database, blocks: join(engineHome(home), "data"), snapshots: join(home, "snapshots") },
    };
    const { close: closeClients, ...clients } = await serveClients(source, options.clients ?? {}, logger);
    opened.push(closeClients);
    const ready = Promise.race([untilFirstBlock(rpcUrl, () => opened.isClosing), done]);
    ready.then(
      () => engine.forgetKey(),
      () => {},
    );
    return {
      rpcUrl,
      clients,
      chainId: genesis.chainId,
      ready,
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

/**
 * A folder that nobody else can enter, and not under `home`: the path of a Unix socket has little room. Named after the
 * home, so that what a killed node leaves is gone with its next start. Called with the home locked.
 * @throws where somebody else has a folder of this name
 */
function makeSocketFolder(home: string): string {
  const name = sha256(Buffer.from(realpathSync(home)))
    .toString("hex")
    .slice(0, 32);
  const folder = join(tmpdir(), `dcx-abci-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** `height:hash` of the newest block that a node has, by its JSON-RPC. */
export async function newestBlock(rpcUrl: string): Promise<string> {
  const { latest_block_height: height, latest_block_hash: hash } = await syncInfo(rpcUrl);
  return `${height}:${hash}`;
}

async function syncInfo(rpcUrl: string) {
  const response = await fetch(`${rpcUrl}/status`, { signal: AbortSignal.timeout(5_000) });
  return statusAnswer.parse(await response.json()).result.sync_info;
}

/** Milliseconds between two looks whether the engine answers: it says nothing by itself. */
const lookInterval = 100;

async function untilFirstBlock(rpcUrl: string, stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    try {
      if (BigInt((await syncInfo(rpcUrl)).latest_block_height) > 0n) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, lookInterval));
  }
}
