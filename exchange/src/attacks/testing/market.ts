import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DeploymentId,
  Fulfillment,
  type Infrastructure,
  Lease,
  LeaseConfirmation,
  Order,
  type OrderId,
  QueryTotalsRequest,
  QueryTotalsResponse,
} from "@dcx/protocol";
import { QueryBalanceRequest, QueryBalanceResponse } from "cosmjs-types/cosmos/bank/v1beta1/query";
import { TxMsgData } from "cosmjs-types/cosmos/base/abci/v1beta1/abci";
import type { ExecTxResult } from "cosmjs-types/tendermint/abci/types";
import { SignedChain } from "../../application/testing/signed-chain";
import type { EncodedMessage } from "../../application/transaction";
import { Mempool, type MempoolLimits } from "../../node/mempool/mempool";
import { fulfillmentKey, orderKey, tables } from "../../state/keys";
import { scale } from "../../state/quantities";
import { present } from "../../state/records";
import type { WorldOptions } from "../../state/testing/genesis";
import { type Kind, messages } from "../../state/testing/messages";
import { addressOf, bytesOf } from "../../state/testing/names";
import { orderOf, terms } from "../../state/testing/world";
import { sha256 } from "../../storage/sha256";

/** What a transaction takes from whoever signs it: gas, and for it the least fee at 1/10,000 a unit. */
const gasLimit = 300_000n;
export const fee = 30n;

/** Where tokens lie besides accounts. */
const pots = ["collateral", "deposits", "fees"] as const;

/**
 * The whole exchange but for its network: real signed transactions through the real mempool into the real application,
 * on a disk. Everybody pays fees. Keeps a ledger of all sides' money, and lets nothing be lost from it.
 */
export class Market {
  readonly chain: SignedChain;
  readonly mempool: Mempool;
  readonly #home = mkdtempSync(join(tmpdir(), "dcx-market-"));
  readonly #names: readonly string[];
  readonly #results = new Map<string, ExecTxResult>();
  readonly #rows: string[][] = [];

  constructor(world: WorldOptions, limits: MempoolLimits = { transactions: 1_000, bytes: 10_000_000 }) {
    this.chain = new SignedChain(this.#home, world);
    this.mempool = new Mempool(this.chain.application, limits, () => {});
    this.#names = [...Object.keys(world.accounts ?? {}), ...Object.keys(world.datacenters ?? {})];
  }

  async close(): Promise<void> {
    await this.chain.application.close();
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** Of the next block. */
  get height(): bigint {
    return this.chain.height;
  }

  /**
   * Sends a transaction of one message. Its `code` is CheckTx's; once a block has taken it `outcome` says the block's.
   */
  offer<Request, Response>({ typeUrl, request, response }: Kind<Request, Response>, message: Request) {
    const encoded: EncodedMessage = { typeUrl, value: request.encode(message).finish() };
    const bytes = this.chain.sign(encoded, gasLimit, fee);
    const { code, log } = this.mempool.offer(bytes);
    if (code !== 0) this.chain.takeBack(encoded);
    const outcome = (): { readonly code: number; readonly response: Response } => {
      const result = this.#results.get(sha256(bytes).toString("hex"));
      if (result === undefined) throw new Error(`no block took ${typeUrl} (${code}: ${log})`);
      const [first] = result.code === 0 ? TxMsgData.decode(result.data).msgResponses : [];
      return { code: result.code, response: response.decode(first?.value ?? new Uint8Array()) };
    };
    return { code, log, outcome };
  }

  /** As `offer`, and makes the next block with it. */
  run<Request, Response>(kind: Kind<Request, Response>, message: Request) {
    const { code, log, outcome } = this.offer(kind, message);
    if (code !== 0) throw new Error(`${kind.typeUrl} is refused: ${log}`);
    this.blocks();
    return outcome();
  }

  /** Makes blocks of what waits. */
  blocks(count = 1): void {
    for (let made = 0; made < count; made += 1) {
      const block = this.chain.propose(this.mempool.list());
      const { txResults } = this.chain.commit(block);
      for (const [index, bytes] of block.entries())
        this.#results.set(sha256(bytes).toString("hex"), present(txResults[index], "a result of each"));
      this.mempool.settle(block.map(sha256));
    }
  }

  /** Makes blocks until the next one has that height. */
  until(height: bigint): void {
    while (this.height < height) this.blocks();
  }

  deploy(tenant: string, infrastructures: Infrastructure[]): DeploymentId {
    const message = {
      tenant: addressOf(tenant),
      infrastructures,
      waitDuration: 0n,
      version: bytesOf("v1"),
      manifestEntries: 1,
      nonce: bytesOf("nonce"),
      clientToken: bytesOf(`${tenant} ${this.height}`),
      managers: [],
    };
    return present(this.run(messages.submitDeployment, message).response.id, "id of a deployment");
  }

  /** Deploys infrastructures of these names with `persist`. Returns their orders. */
  deployPersistent(tenant: string, ...names: readonly string[]): OrderId[] {
    const id = this.deploy(
      tenant,
      names.map((name) => terms(name, { persist: true })),
    );
    return names.map((name) => orderOf(id, name));
  }

  /** An offer on an order at that price (micro-units per block and unit), else at the order's own. */
  offerOn(order: OrderId, datacenter: string, price?: bigint) {
    const { terms } = present(this.order(order), "order");
    const resources = present(terms, "terms").resources.map((group) =>
      price === undefined ? group : { ...group, price: (price * scale).toString() },
    );
    return this.offer(messages.submitFulfillment, { datacenter: addressOf(datacenter), order, resources });
  }

  confirmation(datacenter: string, lease: OrderId) {
    const confirmations = [LeaseConfirmation.fromPartial({ lease })];
    return this.offer(messages.confirm, { datacenter: addressOf(datacenter), confirmations });
  }

  /** Confirms in the next block. */
  confirm(datacenter: string, lease: OrderId) {
    const { outcome } = this.confirmation(datacenter, lease);
    this.blocks();
    return present(outcome().response.results[0], "result of a confirmation");
  }

  transfer(from: string, to: string, amount: bigint) {
    const coins = [{ denom: "udcx", amount: amount.toString() }];
    return this.offer(messages.send, { fromAddress: addressOf(from), toAddress: addressOf(to), amount: coins });
  }

  order(id: OrderId): Order | undefined {
    return this.record(tables.order + orderKey(id), Order);
  }

  lease(id: OrderId): Lease | undefined {
    return this.record(tables.lease + orderKey(id), Lease);
  }

  fulfillment(order: OrderId, index = 1): Fulfillment | undefined {
    return this.record(tables.fulfillment + fulfillmentKey(order, index), Fulfillment);
  }

  balance(name: string): bigint {
    const request = QueryBalanceRequest.encode({ address: addressOf(name), denom: "udcx" }).finish();
    const answer = QueryBalanceResponse.decode(this.ask("/cosmos.bank.v1beta1.Query/Balance", request));
    return BigInt(answer.balance?.amount ?? "0");
  }

  /** Notes where all tokens are. @throws where one is lost, or there is one too many */
  note(moment: string): void {
    const { collateral, deposits, feePool, rewards, genesisSupply, interestMinted } = this.totals();
    const lying = { collateral, deposits, fees: feePool + rewards };
    const all = [...this.#names.map((name) => this.balance(name)), ...pots.map((pot) => lying[pot])];
    const sum = all.reduce((one, other) => one + other, 0n);
    if (sum !== genesisSupply + interestMinted)
      throw new Error(`${moment}: ${sum} micro-units, at genesis ${genesisSupply} and minted ${interestMinted}`);
    this.#rows.push([moment, ...[...all, interestMinted].map(String)]);
  }

  /** Interest minted since genesis. */
  get minted(): bigint {
    return this.totals().interestMinted;
  }

  /** What was noted, a moment a line: what each account has, what lies elsewhere, and what interest was ever minted. */
  get ledger(): string {
    return [["", ...this.#names, ...pots, "minted"], ...this.#rows].map((cells) => cells.join(" | ")).join("\n");
  }

  totals(): QueryTotalsResponse {
    const request = QueryTotalsRequest.encode({}).finish();
    return QueryTotalsResponse.decode(this.ask("/dcx.exchange.v1.Query/Totals", request));
  }

  private record<Value>(key: string, codec: { decode(bytes: Uint8Array): Value }): Value | undefined {
    const value = this.ask("/store/dcx/key", Buffer.from(key, "latin1"));
    return value.length === 0 ? undefined : codec.decode(value);
  }

  private ask(path: string, data: Uint8Array): Uint8Array {
    const { code, log, value } = this.chain.application.query({ path, data, height: 0n, prove: false });
    if (code !== 0) throw new Error(`${path}: ${log}`);
    return value;
  }
}

/** A ledger as a test writes it out: cells are at least two spaces apart. */
export function written(ledger: string): string {
  const lines = ledger.split("\n").slice(1, -1);
  return lines.map((line, index) => (index === 0 ? line : line.trimStart()).split(/ {2,}/).join(" | ")).join("\n");
}
