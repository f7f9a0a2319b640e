import { Command } from "commander";
import { z } from "zod";
import { CommandFailure } from "../output/failure";
import { toJson } from "../output/print";

/** How a node is, as its JSON-RPC says. */
export interface NodeStatus {
  readonly chain: string;
  readonly nodeId: string;
  readonly height: string;
  readonly blockTime: string;
  /** Whether it fetches blocks that others have. */
  readonly catchingUp: boolean;
  readonly peers: number;
  /** Transactions that wait for a block. */
  readonly pending: number;
  readonly validatorKey: string;
  /** 0: it signs no blocks now. */
  readonly votingPower: string;
}

const digits = z.string().regex(/^\d+$/);
const statusResult = z.object({
  node_info: z.object({ id: z.string(), network: z.string() }),
  sync_info: z.object({ latest_block_height: digits, latest_block_time: z.string(), catching_up: z.boolean() }),
  validator_info: z.object({ pub_key: z.object({ value: z.string() }), voting_power: digits }),
});
const peersResult = z.object({ n_peers: digits });
const mempoolResult = z.object({ total: digits });

/** Milliseconds that a node has to answer. */
const patience = 10_000;

/** `dcx node status`: exits with 0 where the node answers and has all blocks. */
export function nodeStatusCommand(): Command {
  return new Command("status")
    .description("how a node is: its chain, newest block, peers and power; exit code 1 while it catches up")
    .option("--url <url>", "its JSON-RPC", "http://127.0.0.1:26657")
    .option("--json", "print the result for programs")
    .action(async ({ url, json }: { readonly url: string; readonly json?: true }) => {
      const status = await readNodeStatus(url);
      process.stdout.write(`${json ? toJson(status) : describeNode(status)}\n`);
      process.exitCode = status.catchingUp ? 1 : 0;
    });
}

/** @throws CommandFailure when nobody answers there, or something else than a node */
export async function readNodeStatus(url: string): Promise<NodeStatus> {
  const ask = async <Result>(method: string, schema: z.ZodType<Result>): Promise<Result> => {
    try {
      const response = await fetch(`${url.replace(/\/+$/, "")}/${method}`, { signal: AbortSignal.timeout(patience) });
      return z.object({ result: schema }).parse(await response.json()).result;
    } catch {
      throw new CommandFailure(
        `${url} does not answer ${method} as a node does: say its JSON-RPC by --url, and look into its log.`,
      );
    }
  };
  const { node_info: node, sync_info: sync, validator_info: validator } = await ask("status", statusResult);
  const [{ n_peers: peers }, { total }] = await Promise.all([
    ask("net_info", peersResult),
    ask("num_unconfirmed_txs", mempoolResult),
  ]);
  return {
    chain: node.network,
    nodeId: node.id,
    height: sync.latest_block_height,
    blockTime: sync.latest_block_time,
    catchingUp: sync.catching_up,
    peers: Number(peers),
    pending: Number(total),
    validatorKey: validator.pub_key.value,
    votingPower: validator.voting_power,
  };
}

/** For a person. */
export function describeNode(status: NodeStatus): string {
  const role = status.votingPower === "0" ? "signs no blocks" : `signs blocks with power ${status.votingPower}`;
  const block = status.height === "0" ? "none yet" : `${status.height} of ${status.blockTime}`;
  return [
    `chain          ${status.chain}`,
    `block          ${block}${status.catchingUp ? ", catching up" : ""}`,
    `node id        ${status.nodeId}`,
    `peers          ${status.peers}`,
    `pending        ${status.pending}`,
    `validator key  ${status.validatorKey}, ${role}`,
  ].join("\n");
}
