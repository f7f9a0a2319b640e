import { DeploymentState, ExchangeErrorCode, LeaseState, OrderState } from "@dcx/protocol";
import {
  queryDatacenters,
  queryDeployment,
  queryDeploymentByToken,
  queryDeployments,
  queryDeploymentsByIds,
  queryFulfillments,
  queryLeases,
  queryOrder,
  queryOrders,
  queryParameters,
  queryTotals,
} from "./queries";
import { addressOf, bytesOf } from "./testing/names";
import { nextGeneration, orderOf, refusal, terms, World } from "./testing/world";

const whole = undefined;

function world(): World {
  return new World({
    accounts: { alice: 10_000n, bob: 10_000n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

describe("queries", () => {
  test("a deployment comes with all that belongs to it: orders, bids, leases, datacenters, balance", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n }), terms("east")] });
    exchange.bid("tidewater", nextGeneration(lease), 5n);
    const answer = queryDeployment(exchange.state, exchange.height, { id: lease });
    expect(answer).toMatchObject({
      height: 2n,
      deployment: { revision: 2n },
      leases: [{ id: lease, state: LeaseState.ACTIVE }],
      balance: 9_900n,
    });
    expect(answer.orders.map(({ order, fulfillments }) => [order?.id, fulfillments.length])).toEqual([
      [orderOf(lease, "east"), 0],
      [nextGeneration(lease), 1],
    ]);
    expect(answer.datacenters.map((one) => one.region).sort()).toEqual(["us-east", "us-west"]);
  });

  test("several deployments are described together, each as by itself, those that are not there too", () => {
    const exchange = world();
    const ids = [
      exchange.lease("alice", "sierra"),
      exchange.deploy("bob", []),
      { tenant: addressOf("bob"), sequence: 9n },
    ];
    const { state, height } = exchange;
    const { answers, ...rest } = queryDeploymentsByIds(state, height, { ids });
    expect(rest).toEqual({ height });
    expect(answers).toEqual(ids.map((id) => queryDeployment(state, height, { id })));
    for (const refused of [[], Array.from({ length: 101 }, () => ids[0]), [{ tenant: "", sequence: 1n }]]) {
      expect(refusal(() => queryDeploymentsByIds(state, height, { ids: refused.flatMap((id) => id ?? []) }))).toBe(
        ExchangeErrorCode.InvalidMessage,
      );
    }
  });

  test("the newest lease of an infrastructure shows when it has ended, too", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.cancelBid("sierra", lease);
    const { leases, orders } = queryDeployment(exchange.state, exchange.height, { id: lease });
    expect(leases).toMatchObject([{ id: lease, state: LeaseState.BROKEN }]);
    expect(orders).toMatchObject([{ order: { id: nextGeneration(lease) } }]);
  });

  test("a deployment is found by its token while it is active; none is an answer", () => {
    const exchange = world();
    const clientToken = bytesOf("token");
    const id = exchange.deploy("alice", [], { clientToken });
    const byToken = () => queryDeploymentByToken(exchange.state, 1n, { tenant: addressOf("alice"), clientToken });
    expect(byToken().deployment?.id).toEqual(id);
    exchange.cancel("alice", id);
    expect(byToken()).toMatchObject({ deployment: undefined, balance: 10_000n });
  });

  test("lists filter by state, tenant, deployment and datacenter", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra", terms("west"));
    const other = exchange.lease("bob", "tidewater", terms("west"));
    exchange.cancel("bob", other);
    const { state, height } = exchange;
    const deployments = (tenant: string, of: DeploymentState) =>
      queryDeployments(state, height, { tenant, state: of, page: whole }).deployments.length;
    expect(deployments("", DeploymentState.UNSPECIFIED)).toBe(2);
    expect(deployments("", DeploymentState.ACTIVE)).toBe(1);
    expect(deployments(addressOf("bob"), DeploymentState.ACTIVE)).toBe(0);
    expect(deployments(addressOf("alice"), DeploymentState.ACTIVE)).toBe(1);
    expect(deployments(addressOf("bob"), DeploymentState.CANCELLED)).toBe(1);
    const leases = (datacenter: string, of: LeaseState, deployment = whole as typeof lease | undefined) =>
      queryLeases(state, height, { state: of, datacenter, deployment, page: whole }).leases.map((one) => one.id);
    expect(leases("", LeaseState.UNSPECIFIED)).toEqual([lease]);
    expect(leases("", LeaseState.CLOSED)).toEqual([other]);
    expect(leases(addressOf("sierra"), LeaseState.ACTIVE)).toEqual([lease]);
    expect(leases(addressOf("tidewater"), LeaseState.ACTIVE)).toEqual([]);
    expect(leases("", LeaseState.ACTIVE, lease)).toEqual([lease]);
    expect(leases("", LeaseState.ACTIVE, other)).toEqual([]);
    const matched = queryOrders(state, height, { state: OrderState.MATCHED, deployment: lease, page: whole });
    expect(matched.orders.map((order) => order.id)).toEqual([lease]);
    const fulfillments = queryFulfillments(state, height, { datacenter: addressOf("sierra"), page: whole });
    expect(fulfillments.fulfillments.map((one) => one.id?.order)).toEqual([lease]);
    const datacenters = queryDatacenters(state, height, { address: "", region: "us-east", page: whole });
    expect(datacenters.datacenters.map((one) => one.address)).toEqual([addressOf("tidewater")]);
    expect(queryOrder(state, height, { id: lease }).fulfillments).toHaveLength(1);
  });

  test("pages join without a gap or a repetition, whatever their size", () => {
    const exchange = world();
    const names = Array.from({ length: 7 }, (_, index) => `i${index}`);
    const id = exchange.deploy(
      "alice",
      names.map((name) => terms(name)),
    );
    for (const deployment of [id, undefined])
      for (const limit of [1, 2, 7, 8]) {
        const seen: string[] = [];
        let key = new Uint8Array(0);
        do {
          const page = { key, limit, offset: 0n };
          const answer = queryOrders(exchange.state, 1n, { state: OrderState.OPEN, deployment, page });
          seen.push(...answer.orders.map((order) => order.id?.infrastructure ?? ""));
          key = new Uint8Array(answer.page?.nextKey ?? []);
        } while (key.length > 0);
        expect(seen).toEqual(names);
      }
  });

  test("parameters and totals", () => {
    const exchange = world();
    exchange.lease("alice", "sierra");
    expect(queryParameters(exchange.state, 5n)).toMatchObject({ chainId: "world-1", denomination: "udcx", height: 5n });
    expect(queryTotals(exchange.state, 5n)).toEqual({
      height: 5n,
      balances: 218_900n,
      collateral: 1_000n,
      deposits: 100n,
      feePool: 0n,
      genesisSupply: 220_000n,
      interestMinted: 0n,
      openOrders: 0n,
      activeLeases: 1n,
      activeDeployments: 1n,
      staked: 0n,
      unbonding: 0n,
      rewards: 0n,
      proposalDeposits: 0n,
      burnt: 0n,
    });
  });

  test("refuses an id that could reach into another table", () => {
    const exchange = world();
    const id = { tenant: "a\0b", sequence: 1n };
    expect(refusal(() => queryDeployment(exchange.state, 1n, { id }))).toBe(ExchangeErrorCode.InvalidMessage);
  });
});
