import type { EncodeObject, Registry } from "@cosmjs/proto-signing";
import { BaseAccount } from "cosmjs-types/cosmos/auth/v1beta1/auth";
import { QueryAccountRequest, QueryAccountResponse } from "cosmjs-types/cosmos/auth/v1beta1/query";
import { SimulateRequest, SimulateResponse } from "cosmjs-types/cosmos/tx/v1beta1/service";
import { z } from "zod";
import type { Service } from "../processes";
import type { BenchAccount, Fee } from "./accounts";

/** A running node of a Cosmos chain, and what a measurement needs to know of it. */
export interface Chain {
  readonly node: Service;
  readonly chainId: string;
  readonly rpcUrl: string;
  readonly registry: Registry;
  /** Whose transactions are measured. */
  readonly accounts: readonly BenchAccount[];
  transfer(from: BenchAccount, to: BenchAccount): EncodeObject;
  /** A new deployment with one group of one unit; `ordinal` differs between those of one owner. */
  deployment(owner: BenchAccount, ordinal: number): EncodeObject;
  feeFor(gas: bigint): Fee;
}

const Answer = z.object({ result: z.unknown().optional(), error: z.unknown().optional() });
const Status = z.object({ sync_info: z.object({ latest_block_height: z.coerce.number() }) });
const Broadcast = z.object({ code: z.number(), log: z.string(), hash: z.string() });
const Unconfirmed = z.object({ total: z.coerce.number() });
const BlockResults = z.object({ txs_results: z.array(z.object({ code: z.number(), log: z.string() })).nullish() });
const Block = z.object({ block: z.object({ data: z.object({ txs: z.array(z.string()).nullish() }) }) });
const Query = z.object({
  response: z.object({ code: z.number().nullish(), log: z.string().nullish(), value: z.string().nullish() }),
});

/** CometBFT's JSON-RPC as both kinds of node serve it. */
export class Rpc {
  constructor(private readonly url: string) {}

  async height(): Promise<number> {
    return Status.parse(await this.call("status", {})).sync_info.latest_block_height;
  }

  /** Rejects when the node does not take it. */
  async broadcast(transaction: Uint8Array): Promise<void> {
    const { code, log } = Broadcast.parse(
      await this.call("broadcast_tx_sync", { tx: Buffer.from(transaction).toString("base64") }),
    );
    if (code !== 0) {
      throw new Error(`a transaction was refused with ${code}: ${log}`);
    }
  }

  /** A block's transactions. */
  async transactions(height: number): Promise<readonly Buffer[]> {
    const { block } = Block.parse(await this.call("block", { height: String(height) }));
    return (block.data.txs ?? []).map((transaction) => Buffer.from(transaction, "base64"));
  }

  /** How many transactions wait for a block. */
  async waiting(): Promise<number> {
    return Unconfirmed.parse(await this.call("num_unconfirmed_txs", {})).total;
  }

  /** Codes and logs of a block's transactions. */
  async results(height: number): Promise<readonly { readonly code: number; readonly log: string }[]> {
    return BlockResults.parse(await this.call("block_results", { height: String(height) })).txs_results ?? [];
  }

  /** Gives an account its number and sequence of now. */
  async prepare(account: BenchAccount): Promise<void> {
    const request = QueryAccountRequest.encode({ address: account.address }).finish();
    const { account: any } = QueryAccountResponse.decode(
      await this.query("/cosmos.auth.v1beta1.Query/Account", request),
    );
    const { accountNumber, sequence } = BaseAccount.decode(any?.value ?? new Uint8Array());
    account.accountNumber = accountNumber;
    account.sequence = sequence;
  }

  async gasOf(transaction: Uint8Array): Promise<bigint> {
    const request = SimulateRequest.encode(SimulateRequest.fromPartial({ txBytes: transaction })).finish();
    const answer = SimulateResponse.decode(await this.query("/cosmos.tx.v1beta1.Service/Simulate", request));
    return answer.gasInfo?.gasUsed ?? 0n;
  }

  private async query(path: string, data: Uint8Array): Promise<Uint8Array> {
    const { response } = Query.parse(await this.call("abci_query", { path, data: Buffer.from(data).toString("hex") }));
    if ((response.code ?? 0) !== 0) {
      throw new Error(`${path} answered ${response.code}: ${response.log}`);
    }
    return Buffer.from(response.value ?? "", "base64");
  }

  private async call(method: string, params: Readonly<Record<string, unknown>>): Promise<unknown> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      signal: AbortSignal.timeout(60_000),
    });
    const { result, error } = Answer.parse(await response.json());
    if (error !== undefined && error !== null) {
      throw new Error(`${method} answered ${JSON.stringify(error)}`);
    }
    return result;
  }
}
