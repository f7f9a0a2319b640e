import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { QueryTotalsRequest, QueryTotalsResponse } from "@dcx/protocol";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { z } from "zod";
import type { ExecutionCounts } from "../application/execution-counts";
import { millisecondsOf } from "../node/consensus/time";
import type { ChainAccess } from "./chain-access";
import { headerSchema, integerSchema, statusSchema, validatorsSchema } from "./comet-json";
import { refusalOfQuery } from "./status";

export interface MetricsSource {
  readonly access: ChainAccess;
  readonly executed: ExecutionCounts;
  /** Folders of the node whose size is told, by what they hold. */
  readonly folders: Readonly<Record<string, string>>;
}

const mempoolSchema = z.object({ total: integerSchema, total_bytes: integerSchema });
const peersSchema = z.object({ n_peers: integerSchema });
const microUnits = 1_000_000;

/** A node's metrics in Prometheus' text format. docs/operate.md lists them. They name no account. */
export class NodeMetrics {
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();

  constructor(private readonly source: MetricsSource) {
    const { executed } = source;
    collectDefaultMetrics({ register: this.#registry });
    this.#counter(
      "dcx_transactions_total",
      "Transactions of blocks that succeeded, the facilitators' among them.",
      () => executed.succeeded,
    );
    this.#counter("dcx_transactions_failed_total", "Transactions of blocks that failed.", () => executed.failed);
    const messages = new Counter({
      name: "dcx_messages_total",
      help: "Messages of blocks that succeeded: MsgSubmitLease is a match, MsgSubmitStaleLease a lease that broke.",
      labelNames: ["type"],
      registers: [this.#registry],
      collect: () => {
        messages.reset();
        for (const [type, count] of executed.messages) messages.inc({ type: type.slice(1) }, count);
      },
    });
    const sizes = new Gauge({
      name: "dcx_disk_bytes",
      help: "What the node keeps on the disk, by what it is.",
      labelNames: ["part"],
      registers: [this.#registry],
      collect: async () => {
        for (const [part, folder] of Object.entries(source.folders)) sizes.set({ part }, await sizeOf(folder));
      },
    });
  }

  /** The text, and its media type. @throws what the chain's access throws: the node does not answer */
  async read(): Promise<{ readonly text: string; readonly type: string }> {
    await this.#look();
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }

  async #look(): Promise<void> {
    const { access } = this.source;
    const [status, mempool, validators, peers] = await Promise.all([
      access.call("status", {}).then((answer) => statusSchema.parse(answer)),
      access.call("num_unconfirmed_txs", {}).then((answer) => mempoolSchema.parse(answer)),
      access.call("validators", { per_page: "1" }).then((answer) => validatorsSchema.parse(answer)),
      access.call("net_info", {}).then((answer) => peersSchema.parse(answer)),
    ]);
    const { latest_block_height: height, latest_block_time: time, catching_up: catchingUp } = status.sync_info;
    this.#set("dcx_block_height", "Height of the newest block.", Number(height));
    this.#set("dcx_block_time_seconds", "Its time, in seconds since 1970.", millisecondsOf(time) / 1_000);
    if (height > 1n) {
      const before = await access.call("header", { height: (height - 1n).toString() });
      const header = z.object({ header: headerSchema }).parse(before).header;
      const interval = (millisecondsOf(time) - millisecondsOf(header.time)) / 1_000;
      this.#set("dcx_block_interval_seconds", "Between the newest block and the one before it.", interval);
    }
    this.#set("dcx_catching_up", "1 while the node fetches blocks that others have.", catchingUp ? 1 : 0);
    this.#set("dcx_mempool_transactions", "Transactions that wait for a block.", Number(mempool.total));
    this.#set("dcx_mempool_bytes", "What they take.", Number(mempool.total_bytes));
    this.#set("dcx_validators", "Validators that sign blocks.", Number(validators.total));
    this.#set("dcx_peers", "Nodes that this one is connected to.", Number(peers.n_peers));
    const totals = this.#totals();
    this.#set("dcx_active_deployments", "Deployments that are active.", Number(totals.activeDeployments));
    this.#set("dcx_open_orders", "Orders that wait for a match.", Number(totals.openOrders));
    this.#set("dcx_active_leases", "Leases that are active.", Number(totals.activeLeases));
    this.#set("dcx_collateral_tokens", "Collateral of fulfillments.", Number(totals.collateral) / microUnits);
    this.#set("dcx_deposit_tokens", "Deposits of leases.", Number(totals.deposits) / microUnits);
    this.#set("dcx_staked_tokens", "With validators.", Number(totals.staked) / microUnits);
  }

  #totals(): QueryTotalsResponse {
    const request = QueryTotalsRequest.encode({}).finish();
    const answer = this.source.access.query("/dcx.exchange.v1.Query/Totals", request, 0n);
    if (answer.code !== 0) throw refusalOfQuery(answer);
    return QueryTotalsResponse.decode(answer.value);
  }

  #set(name: string, help: string, value: number): void {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, registers: [this.#registry] });
      this.#gauges.set(name, gauge);
    }
    gauge.set(value);
  }

  #counter(name: string, help: string, read: () => number): void {
    const counter = new Counter({
      name,
      help,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }
}

/** Bytes of the files in a folder that lie there at this moment; 0 where there is none. */
async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += await sizeOfFile(join(entry.parentPath, entry.name));
    }
  } catch {
    // Not made yet.
  }
  return bytes;
}

async function sizeOfFile(path: string): Promise<number> {
  try {
    const { blocks } = await stat(path);
    return blocks * 512;
  } catch {
    // Gone meanwhile.
    return 0;
  }
}
