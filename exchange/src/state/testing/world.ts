import {
  type Attribute,
  type DeploymentId,
  type Fulfillment,
  type Infrastructure,
  type Lease,
  LeaseConfirmation,
  type LeaseConfirmationResult,
  type MsgSubmitDeployment,
  type MsgUpdateDeployment,
  type Order,
  type OrderId,
  type Parameters,
} from "@dcx/protocol";
import { BasicAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import { consensusAddressOf } from "../../consensus-key";
import { balanceOf, collectFees, debit } from "../accounts";
import { noConduct } from "../begin-block";
import { Branch } from "../branch";
import { type Event, EventList, UnlimitedGas } from "../context";
import { ExchangeError } from "../errors";
import {
  applyMessage,
  beginBlock,
  type Conduct,
  checkInvariants,
  endBlock,
  facilitatorPart,
  type ValidatorUpdate,
  validatorSet,
} from "../machine";
import { MemoryStore } from "../memory-store";
import { scale } from "../quantities";
import { deployments, fulfillments, getParameters, leases, orders, present } from "../records";
import { chainId, initializeWorld, type WorldOptions } from "./genesis";
import { type Kind, messages } from "./messages";
import { addressOf, bytesOf, consensusKeyOf } from "./names";

/** Terms of one group; a price is in micro-units per block and unit. */
export function terms(
  name: string,
  options: {
    price?: bigint;
    count?: number;
    collateral?: bigint;
    memory?: bigint;
    region?: string;
    attributes?: Attribute[];
    allowed?: string[];
    denied?: string[];
    persist?: boolean;
  } = {},
): Infrastructure {
  const compute = { cpu: 500n, memory: options.memory ?? 1024n, disk: 0n, gpu: undefined };
  return {
    name,
    region: options.region ?? "",
    attributes: options.attributes ?? [],
    allowedDatacenters: (options.allowed ?? []).map(addressOf),
    deniedDatacenters: (options.denied ?? []).map(addressOf),
    persist: options.persist ?? false,
    resources: [
      {
        compute,
        price: ((options.price ?? 10n) * scale).toString(),
        collateral: options.collateral ?? 1_000n,
        count: options.count ?? 1,
      },
    ],
  };
}

export interface Attempt {
  readonly height: bigint;
  readonly typeUrl: string;
  readonly value: Uint8Array;
  readonly code: number;
}

/**
 * An exchange in memory, in the midst of a block: messages go into that block, `blocks` commits it and begins the next
 * ones with their timers and facilitator's parts. Nobody pays fees.
 */
export class World {
  readonly store = new MemoryStore();
  height = 1n;
  #block: Branch;
  readonly events: Event[] = [];
  /** Every message that was tried, with the height of its block and the code of its refusal; 0: none. */
  readonly attempts: Attempt[] = [];
  /** What the engine told of validators, by height of the block that it told it with. */
  readonly conducts = new Map<bigint, Conduct>();
  /** The set as the engine has it: power by key, in hexadecimal. */
  readonly engineSet = new Map<string, bigint>();
  #conduct: Conduct = noConduct;
  #fees = 0n;

  constructor(options: WorldOptions = {}) {
    initializeWorld(this.store, options);
    this.#block = new Branch(this.store);
    this.#tellEngine(validatorSet(this.store));
  }

  /** The state as it is now, in the midst of the block. */
  get state(): Branch {
    return this.#block;
  }

  /** Executes a message in the present block. @throws ExchangeError, having changed nothing */
  run<Request, Response>(one: Kind<Request, Response>, message: Request): Response {
    const branch = new Branch(this.#block);
    const events = new EventList();
    const context = { chainId, height: this.height, hash: bytesOf("tx"), gas: new UnlimitedGas(), events };
    const value = one.request.encode(message).finish();
    const attempt = { height: this.height, typeUrl: one.typeUrl, value, code: 0 };
    this.attempts.push(attempt);
    let response: Uint8Array;
    try {
      ({ response } = applyMessage(branch, context, { typeUrl: one.typeUrl, value }, "transaction"));
    } catch (error) {
      if (error instanceof ExchangeError) attempt.code = error.code;
      throw error;
    }
    branch.write(this.#block);
    this.events.push(...events.events);
    return one.response.decode(response);
  }

  /** Commits the present block and begins the next, that many times; what the last facilitator's part held. */
  blocks(count = 1): string[] {
    let part: string[] = [];
    for (let step = 0; step < count; step += 1) part = this.#nextBlock();
    return part;
  }

  /** Begins blocks until that height is the present one. */
  until(height: bigint): void {
    while (this.height < height) this.#nextBlock();
  }

  /** A validator does not sign the present block. */
  absent(name: string): void {
    const absent = [...this.#conduct.absent, consensusAddressOf(consensusKeyOf(name))];
    this.#conduct = { ...this.#conduct, absent };
  }

  /** There is evidence that a validator signed two blocks of a height. */
  signedTwice(name: string, height: bigint, power: bigint): void {
    const fault = { address: consensusAddressOf(consensusKeyOf(name)), height, power };
    this.#conduct = { ...this.#conduct, misbehavior: [...this.#conduct.misbehavior, fault] };
  }

  /** An account pays fees in the present block. */
  payFees(name: string, amount: bigint): void {
    debit(this.#block, addressOf(name), amount, "the fee");
    this.#fees += amount;
  }

  /** The engine changes its set, and has to have the one that the state has. */
  #tellEngine(updates: readonly ValidatorUpdate[]): void {
    for (const { consensusKey, power } of updates) {
      const key = Buffer.from(consensusKey).toString("hex");
      if (power > 0n) this.engineSet.set(key, power);
      else if (!this.engineSet.delete(key)) throw new Error(`${key} is not in the engine's set: it would halt`);
    }
    const known = validatorSet(this.store).map(({ consensusKey, power }) => [
      Buffer.from(consensusKey).toString("hex"),
      power,
    ]);
    if (JSON.stringify(sorted(known)) !== JSON.stringify(sorted([...this.engineSet])))
      throw new Error(`after block ${this.height}: the engine has another validator set than the state`);
  }

  #nextBlock(): string[] {
    collectFees(this.#block, this.#fees);
    const end = endBlock(this.#block, { chainId, height: this.height }, this.#fees);
    this.#fees = 0n;
    this.events.push(...end.events);
    this.#block.write(this.store);
    this.#tellEngine(end.validatorUpdates);
    const problems = checkInvariants(this.store);
    if (problems.length > 0) throw new Error(`after block ${this.height}: ${problems.join("; ")}`);
    this.height += 1n;
    const part = facilitatorPart(this.store, this.height);
    this.#block = new Branch(this.store);
    this.conducts.set(this.height, this.#conduct);
    this.events.push(...beginBlock(this.#block, { chainId, height: this.height }, this.#conduct));
    this.#conduct = noConduct;
    for (const message of part) {
      const branch = new Branch(this.#block);
      const events = new EventList();
      const context = { chainId, height: this.height, hash: bytesOf("part"), gas: new UnlimitedGas(), events };
      try {
        applyMessage(branch, context, message, "facilitator");
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        continue;
      }
      branch.write(this.#block);
      this.events.push(...events.events);
    }
    return part.map((message) => message.typeUrl.replace("/dcx.exchange.v1.Msg", ""));
  }

  deploy(tenant: string, infrastructures: Infrastructure[], options: Partial<MsgSubmitDeployment> = {}): DeploymentId {
    const { id } = this.run(messages.submitDeployment, {
      tenant: addressOf(tenant),
      infrastructures,
      waitDuration: 0n,
      version: bytesOf("v1"),
      manifestEntries: 1,
      nonce: bytesOf("nonce"),
      clientToken: bytesOf(`${tenant} ${this.events.length}`),
      managers: [],
      ...options,
    });
    return present(id, "id of a new deployment");
  }

  update(sender: string, id: DeploymentId, patch: Partial<MsgUpdateDeployment>): bigint {
    return this.run(messages.updateDeployment, {
      sender: addressOf(sender),
      id,
      revision: this.deployment(id).revision,
      infrastructures: [],
      removedInfrastructures: [],
      waitDuration: undefined,
      manifest: undefined,
      managers: undefined,
      ...patch,
    }).revision;
  }

  cancel(tenant: string, id: DeploymentId): void {
    const { incarnation } = this.deployment(id);
    this.run(messages.cancelDeployment, { tenant: addressOf(tenant), id, incarnation });
  }

  /** Offers on an order at that price (micro-units per block and unit), else at the order's own. */
  bid(datacenter: string, order: OrderId, price?: bigint): number {
    const asked = present(this.order(order)?.terms, "terms of an order").resources;
    const resources = asked.map((group) =>
      price === undefined ? group : { ...group, price: (price * scale).toString() },
    );
    const response = this.run(messages.submitFulfillment, { datacenter: addressOf(datacenter), order, resources });
    return present(response.id, "id of a fulfillment").index;
  }

  cancelBid(datacenter: string, order: OrderId, index = 1): void {
    this.run(messages.cancelFulfillment, { datacenter: addressOf(datacenter), id: { order, index } });
  }

  confirm(datacenter: string, lease: OrderId, version = ""): LeaseConfirmationResult {
    const { results } = this.run(messages.confirm, {
      datacenter: addressOf(datacenter),
      confirmations: [
        LeaseConfirmation.fromPartial({ lease, version: version === "" ? new Uint8Array(0) : bytesOf(version) }),
      ],
    });
    return present(results[0], "result of a confirmation");
  }

  notice(datacenter: string, lease: OrderId): bigint {
    return this.run(messages.giveNotice, { datacenter: addressOf(datacenter), lease }).endHeight;
  }

  closeLease(sender: string, lease: OrderId, reopen: "reopen" | "close" = "close"): void {
    this.run(messages.closeLease, { sender: addressOf(sender), lease, reopen: reopen === "reopen" });
  }

  /** @param limit micro-units; absent: without one */
  grantFees(granter: string, grantee: string, limit?: bigint): void {
    const spendLimit = limit === undefined ? [] : [{ denom: "udcx", amount: limit.toString() }];
    const value = BasicAllowance.encode({ spendLimit }).finish();
    const allowance = { typeUrl: "/cosmos.feegrant.v1beta1.BasicAllowance", value };
    this.run(messages.grantAllowance, { granter: addressOf(granter), grantee: addressOf(grantee), allowance });
  }

  revokeFees(granter: string, grantee: string): void {
    this.run(messages.revokeAllowance, { granter: addressOf(granter), grantee: addressOf(grantee) });
  }

  transfer(from: string, to: string, amount: bigint): void {
    this.run(messages.send, {
      fromAddress: addressOf(from),
      toAddress: addressOf(to),
      amount: [{ denom: "udcx", amount: amount.toString() }],
    });
  }

  /** Deploys one infrastructure and has a datacenter lease it, at 10 a block with a collateral of 1000. */
  lease(tenant: string, datacenter: string, infrastructure = terms("west", { persist: true })): OrderId {
    const id = this.deploy(tenant, [infrastructure]);
    const order = orderOf(id, infrastructure.name);
    this.bid(datacenter, order);
    this.blocks();
    return order;
  }

  balance(name: string): bigint {
    return balanceOf(this.state, addressOf(name));
  }

  deployment(id: DeploymentId) {
    return present(deployments.get(this.state, id), "deployment");
  }

  order(id: OrderId): Order | undefined {
    return orders.get(this.state, id);
  }

  leaseOf(id: OrderId): Lease | undefined {
    return leases.get(this.state, id);
  }

  fulfillment(order: OrderId, index = 1): Fulfillment | undefined {
    return fulfillments.get(this.state, { order, index });
  }

  get parameters(): Parameters {
    return getParameters(this.state);
  }
}

function sorted(set: readonly (readonly (string | bigint | undefined)[])[]): readonly string[] {
  return set.map((entry) => entry.join(" ")).sort();
}

export function orderOf(deployment: DeploymentId, infrastructure: string, generation = 1): OrderId {
  return { ...deployment, infrastructure, generation };
}

export function nextGeneration(order: OrderId, steps = 1): OrderId {
  return { ...order, generation: order.generation + steps };
}

/** The code of the refusal that an action meets. @throws Error when it meets none */
export function refusal(action: () => unknown): number {
  try {
    action();
  } catch (error) {
    if (error instanceof ExchangeError) return error.code;
    throw error;
  }
  throw new Error("nothing was refused");
}
