import type { Bench } from "./figure";
import { blockAmongOrders } from "./rows/block-among-orders";
import { connectionsApplied } from "./rows/connections";
import { containerStart } from "./rows/container-start";
import { create } from "./rows/create";
import { manifestToHolders } from "./rows/manifest-to-holders";
import { memoryOverTransactions } from "./rows/memory-over-transactions";
import { neighbours } from "./rows/neighbours";
import { nothingToDo } from "./rows/nothing-to-do";
import { pluginMemory } from "./rows/plugin-memory";
import { pluginStart } from "./rows/plugin-start";
import { restart } from "./rows/restart";
import { submitToLease } from "./rows/submit-to-lease";
import { throughput } from "./rows/throughput";
import { transactionsPerCpu } from "./rows/transactions-per-cpu";
import { tunnels } from "./rows/tunnels";

/** All rows, in the order of the table. */
export const benches: readonly Bench[] = [
  pluginStart,
  pluginMemory,
  nothingToDo,
  create,
  submitToLease,
  transactionsPerCpu,
  throughput,
  blockAmongOrders,
  restart,
  memoryOverTransactions,
  tunnels,
  connectionsApplied,
  manifestToHolders,
  containerStart,
  neighbours,
];
