import {
  deploymentKey,
  type ExchangeBlock,
  type ExchangeEvent,
  Lease,
  LeaseState,
  Parameters,
  QueryDatacentersResponse,
  QueryDeploymentResponse,
  QueryFulfillmentsResponse,
  QueryLeasesResponse,
  QueryOrderResponse,
  QueryOrdersResponse,
  QueryParametersResponse,
} from "@dcx/protocol";
import pino from "pino";
import { ChainFollower, type FollowerQueries } from "./follower";
import type { MutableView } from "./view";

const datacenter = "dcx1self";

/** An exchange with one deployment that this datacenter has a lease of, and blocks as the test makes them. */
class Exchange implements FollowerQueries {
  height_ = 100n;
  maxConfirmations = 100;
  readonly held = { tenant: "dcx1tenant", sequence: 1n };
  /** Asked for by id, in order. */
  readonly asked: string[] = [];
  /** Of the blocks to come, by their height. */
  readonly events = new Map<bigint, readonly ExchangeEvent[]>();
  #next: (() => void) | undefined;

  pass(blocks: number): void {
    this.height_ += BigInt(blocks);
    this.#next?.();
  }
  async height() {
    return this.height_;
  }
  async status() {
    return { chainId: "c", height: this.height_, time: new Date(), catchingUp: false };
  }
  async parameters() {
    const { maxConfirmations } = this;
    return QueryParametersResponse.fromPartial({ parameters: Parameters.fromPartial({ maxConfirmations }) });
  }
  async datacenters() {
    return QueryDatacentersResponse.fromPartial({});
  }
  async orders() {
    return QueryOrdersResponse.fromPartial({});
  }
  async fulfillments() {
    return QueryFulfillmentsResponse.fromPartial({});
  }
  async order() {
    return QueryOrderResponse.fromPartial({});
  }
  async leases(request: { readonly state?: LeaseState } = {}) {
    return QueryLeasesResponse.fromPartial({ leases: request.state === undefined ? [this.#lease()] : [] });
  }
  async deployment(id: { readonly tenant: string; readonly sequence: bigint }) {
    this.asked.push(deploymentKey(id));
    const ours = id.tenant === this.held.tenant && id.sequence === this.held.sequence;
    return QueryDeploymentResponse.fromPartial({ deployment: { id }, leases: ours ? [this.#lease()] : [] });
  }
  async *blocks(signal: AbortSignal, from = this.height_ + 1n): AsyncGenerator<ExchangeBlock, void, undefined> {
    for (let height = from; !signal.aborted; height += 1n) {
      while (height > this.height_ && !signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#next = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      if (!signal.aborted) yield { height, time: new Date(), events: this.events.get(height) ?? [], complete: true };
    }
  }
  #lease(): Lease {
    const id = { ...this.held, infrastructure: "west", generation: 1 };
    return Lease.fromPartial({ id, datacenter, state: LeaseState.ACTIVE });
  }
}

describe("what an agent follows of the exchange", () => {
  const stop = new AbortController();
  const exchange = new Exchange();
  let changed: () => void = () => {};
  const follower = new ChainFollower({
    query: exchange,
    datacenter,
    region: "us-west",
    logger: pino({ level: "silent" }),
    onChange: () => changed(),
  });
  let running: Promise<void>;
  const view = () => follower.view as MutableView;
  const reached = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        changed = resolve;
      });
    }
  };

  beforeAll(async () => {
    running = follower.run(stop.signal);
    await reached(() => follower.view !== undefined);
  });
  afterAll(async () => {
    stop.abort();
    await running;
  });

  it("has the parameters that a vote leads to, without a start of its own", async () => {
    expect(view().parameters.parameters?.maxConfirmations).toBe(100);
    exchange.maxConfirmations = 5;
    exchange.events.set(exchange.height_ + 1n, [{ type: "parameters", value: { proposal: 1n } }]);
    exchange.pass(1);
    await reached(() => view().height === exchange.height_);
    expect(view().parameters.parameters?.maxConfirmations).toBe(5);
  });

  it("keeps nothing of the deployments that strangers name", async () => {
    const { signal } = stop;
    const all = Array.from({ length: 500 }, (_, n) => `dcx1stranger/${n + 1}`);
    await Promise.all(all.map((deployment) => follower.refresh(deployment, signal)));
    exchange.pass(1);
    await reached(() => view().height === exchange.height_);
    expect(exchange.asked).toEqual(expect.arrayContaining(all));
    expect([...view().readAt.keys()]).toEqual(["dcx1tenant/1"]);
    expect([...view().asOf.keys()]).toEqual(["dcx1tenant/1"]);
    expect([...view().deployments.keys()]).toEqual(["dcx1tenant/1"]);
  });
});
