import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Snapshot } from "cosmjs-types/tendermint/abci/types";
import type { Logger } from "pino";
import { sha256 } from "../storage/sha256";
import { snapshotFormat } from "./chunk";
import { outdatedSnapshots } from "./retention";
import { metadataFile } from "./write";

export interface SnapshotsOptions {
  /** Where they lie. */
  readonly folder: string;
  /** The state database's. */
  readonly database: string;
  /** Blocks between two; 0: none are made. */
  readonly interval: number;
  readonly logger: Logger;
}

/** The snapshots of a node's state that others can begin from, made by a thread of its own (ABCI: state sync). */
export class Snapshots {
  private worker: Worker | undefined;
  /** When a peer was last told of each, or fetched a part of it: milliseconds of the process's own clock. */
  private readonly offered = new Map<bigint, number>();

  constructor(private readonly options: SnapshotsOptions) {}

  /** To be called after each commit. */
  committed(height: bigint): void {
    const { interval } = this.options;
    if (interval === 0 || height % BigInt(interval) !== 0n || this.worker !== undefined) return;
    const { database, folder, logger } = this.options;
    const worker = new Worker(join(__dirname, "worker.js"), { workerData: { database, folder } });
    this.worker = worker;
    worker.once("error", (error) => logger.error({ err: error }, "a snapshot of the state could not be made"));
    worker.once("exit", () => {
      this.worker = undefined;
      this.prune();
    });
  }

  list(): Snapshot[] {
    return this.heights().map((height) => {
      this.offered.set(height, performance.now());
      const metadata = readFileSync(join(this.folderOf(height), metadataFile));
      return { height, format: snapshotFormat, chunks: metadata.length / 32, hash: sha256(metadata), metadata };
    });
  }

  /** Empty where there is none. */
  chunk(height: bigint, format: number, index: number): Uint8Array {
    const path = join(this.folderOf(height), String(index));
    if (format !== snapshotFormat || !existsSync(path) || !statSync(path).isFile()) return new Uint8Array();
    this.offered.set(height, performance.now());
    return readFileSync(path);
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private prune(): void {
    for (const height of outdatedSnapshots(this.heights(), this.offered, performance.now())) {
      rmSync(this.folderOf(height), { recursive: true, force: true });
      this.offered.delete(height);
    }
  }

  /** Of those that are whole, the oldest first. */
  private heights(): bigint[] {
    const { folder } = this.options;
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(BigInt)
      .sort((one, other) => (one < other ? -1 : 1));
  }

  private folderOf(height: bigint): string {
    return join(this.options.folder, height.toString());
  }
}
