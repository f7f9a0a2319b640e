import type { DeploymentId, QueryDeploymentResponse } from "@dcx/protocol";
import { readTogether } from "./read-together";

/** An exchange that answers when it is told to. */
function slowExchange() {
  const asked: { readonly sequences: readonly bigint[]; answer(): void; fail(error: Error): void }[] = [];
  const query = {
    deploymentsByIds: (ids: readonly DeploymentId[]) =>
      new Promise<readonly QueryDeploymentResponse[]>((resolve, reject) => {
        asked.push({
          sequences: ids.map(({ sequence }) => sequence),
          answer: () => resolve(ids.map(({ sequence }) => described(sequence))),
          fail: reject,
        });
      }),
  };
  return { asked, deployments: readTogether(query) };
}

const described = (height: bigint): QueryDeploymentResponse => ({
  height,
  deployment: undefined,
  orders: [],
  leases: [],
  datacenters: [],
  balance: 0n,
});
const id = (sequence: bigint): DeploymentId => ({ tenant: "dcx1tenant", sequence });
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe("deployments that are asked for one by one", () => {
  test("go together while a query is under way, and each gets its own answer", async () => {
    const { asked, deployments } = slowExchange();
    const first = deployments.load(id(1n));
    await turn();
    const others = [2n, 3n, 2n].map((sequence) => deployments.load(id(sequence)));
    await turn();
    expect(asked.map(({ sequences }) => sequences)).toEqual([[1n]]);
    asked[0]?.answer();
    expect((await first).height).toBe(1n);
    await turn();
    expect(asked.map(({ sequences }) => sequences)).toEqual([[1n], [2n, 3n, 2n]]);
    asked[1]?.answer();
    expect((await Promise.all(others)).map(({ height }) => height)).toEqual([2n, 3n, 2n]);
  });

  test("are asked for again each time, and after a query that failed", async () => {
    const { asked, deployments } = slowExchange();
    const failing = Promise.allSettled([deployments.load(id(1n)), deployments.load(id(2n))]);
    await turn();
    asked[0]?.fail(new Error("no node answers"));
    expect((await failing).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const again = deployments.load(id(1n));
    await turn();
    asked[1]?.answer();
    expect((await again).height).toBe(1n);
  });

  test("are at most a hundred in one query", async () => {
    const { asked, deployments } = slowExchange();
    const all = Array.from({ length: 101 }, (_, index) => deployments.load(id(BigInt(index))));
    await turn();
    expect(asked.map(({ sequences }) => sequences.length)).toEqual([100, 1]);
    for (const { answer } of asked) answer();
    expect((await Promise.all(all)).at(100)?.height).toBe(100n);
  });
});
