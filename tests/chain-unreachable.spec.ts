import { allTokens, CloseReason, LeaseState, OrderState } from "@dcx/protocol";
import { askContinuously } from "./support/checks";
import { leaseIn, TwoDatacenters } from "./support/two-datacenters";
import { eventually } from "./support/world";

jest.setTimeout(300_000);

/** Blocks of 200 ms: 20 seconds. */
const period = 100n;

/** The way of one of two agents to the exchange loses everything, and says nothing. */
describe("a datacenter that can't reach the exchange", () => {
  let two: TwoDatacenters;
  beforeEach(async () => {
    two = await TwoDatacenters.start({ reconfirmationPeriod: period });
  });
  afterEach(() => two.close());

  const confirmedAt = async (id: Parameters<TwoDatacenters["cancel"]>[0]) =>
    leaseIn(await two.query.deployment(id), "west").lastConfirmedHeight;

  it("for less than the reconfirmation period, loses nothing, and serves nobody meanwhile", async () => {
    const { id, address, leases } = await two.deploy();
    const last = await confirmedAt(id);
    await two.until(id, "a confirmation", (answer) => leaseIn(answer, "west").lastConfirmedHeight > last);
    await using agent = await two.agentOf(leases.west);
    const asking = askContinuously(address);
    const confirmed = await confirmedAt(id);
    two.links.get("west")?.drop();
    await eventually("the agent serves nobody", 120_000, async () =>
      agent.manifests(id).then(
        () => false,
        ({ refusal }) => refusal === "chain-unreachable",
      ),
    );
    await eventually("three quarters of a period", 120_000, async () => {
      return (await two.query.height()) >= confirmed + (period * 3n) / 4n;
    });
    two.links.get("west")?.restore();
    await two.until(id, "another confirmation", (answer) => leaseIn(answer, "west").lastConfirmedHeight > confirmed);
    await eventually("it serves again", 120_000, async () => (await agent.manifests(id)).active !== undefined);
    expect(await asking.stop()).toMatchObject({ failures: [] });
    const { leases: now } = await two.query.deployment(id);
    expect(now.map(({ state }) => state)).toEqual([LeaseState.ACTIVE, LeaseState.ACTIVE]);
    await two.cancel(id);
  });

  it("for longer, loses the lease with its collateral, which the tenant gets, and stops its workloads on return", async () => {
    const { id, address, leases } = await two.deploy();
    two.links.get("west")?.drop();
    const answer = await two.until(id, "a broken lease", ({ leases: now }) =>
      now.some(({ state }) => state === LeaseState.BROKEN),
    );
    // Until it learns of it, what it runs goes on; the other datacenter, which has seen it, takes no more from there.
    expect([200, 503]).toContain((await fetch(address)).status);
    const broken = answer.leases.find(({ state }) => state === LeaseState.BROKEN);
    expect(broken).toMatchObject({ datacenter: leases.west.datacenter, closeReason: CloseReason.STALE });
    expect(broken?.id?.infrastructure).toBe("west");
    const totals = await two.query.totals();
    expect({ collateral: totals.collateral, leases: totals.activeLeases }).toEqual({ collateral: 1_000n, leases: 1n });
    expect(allTokens(totals) + totals.burnt).toBe(totals.genesisSupply + totals.interestMinted);
    const account = await two.query.account(leases.west.datacenter);
    const earned = (broken?.rentPaid ?? 0n) + (broken?.interestPaid ?? 0n);
    expect(account?.balance).toBeLessThanOrEqual(1_000_000_000n - 1_000n + earned);
    // With `persist` the infrastructure is on offer again; the one that broke its lease may not bid yet.
    const successor = answer.orders.find(({ order }) => order?.id?.infrastructure === "west");
    expect(successor).toMatchObject({ order: { id: { generation: 2 }, state: OrderState.OPEN }, fulfillments: [] });
    expect(leaseIn(answer, "east")).toMatchObject({ state: LeaseState.ACTIVE });

    two.links.get("west")?.restore();
    await eventually("what ran there has ended", 120_000, async () =>
      fetch(address).then(
        () => false,
        () => true,
      ),
    );
    await using agent = await two.agentOf(leases.west);
    await expect(agent.manifests(id)).rejects.toMatchObject({ refusal: "no-lease" });
    const { leases: later } = await two.query.deployment(id);
    expect(later.filter(({ state }) => state === LeaseState.ACTIVE).map(({ datacenter }) => datacenter)).toEqual([
      leases.east.datacenter,
    ]);
    await two.cancel(id);
  });
});
