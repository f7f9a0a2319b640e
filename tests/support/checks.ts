import { allTokens } from "@dcx/protocol";
import { eventually, type World } from "./world";

export interface Answer {
  readonly greeting: string;
  readonly region: string;
  readonly instance: string;
  readonly api?: Answer;
}

/** What the application answers now. Rejects unless it answers 200. */
export async function ask(url: unknown): Promise<Answer> {
  const response = await fetch(String(url), { signal: AbortSignal.timeout(10_000), headers: { connection: "close" } });
  if (response.status !== 200) {
    throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  }
  return (await response.json()) as Answer;
}

/** Asks again and again until `stop`; every failure is kept. */
export function askContinuously(url: unknown): {
  stop(): Promise<{ readonly asked: number; readonly failures: string[] }>;
} {
  const failures: string[] = [];
  let asked = 0;
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      asked++;
      await ask(url).catch((error: unknown) => failures.push(`request ${asked}: ${String(error)}`));
      // A test that failed before it called `stop` must not keep the process alive.
      await new Promise((resolve) => setTimeout(resolve, 25).unref());
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await loop;
      return { asked, failures };
    },
  };
}

/** Fails unless all tokens of the chain add up to the last micro-unit (design: invariants). */
export async function expectTokensToAddUp(world: World): Promise<void> {
  const totals = await (await world.client()).totals();
  expect(allTokens(totals) + totals.burnt).toBe(totals.genesisSupply + totals.interestMinted);
}

/** Fails unless nothing of any deployment is left on the chain or on the machine. */
export async function expectNothingLeft(world: World): Promise<void> {
  const totals = await (await world.client()).totals();
  expect({
    orders: totals.openOrders,
    leases: totals.activeLeases,
    deployments: totals.activeDeployments,
    collateral: totals.collateral,
    deposits: totals.deposits,
  }).toEqual({ orders: 0n, leases: 0n, deployments: 0n, collateral: 0n, deposits: 0n });
  await expectTokensToAddUp(world);
  expect(workloadProcesses(world)).toEqual([]);
}

/** Waits until agents that have come back have removed what they find of deployments that ended meanwhile. */
export async function afterTeardown(world: World): Promise<void> {
  await eventually("what ran is gone", 120_000, async () => workloadProcesses(world).length === 0);
}

function workloadProcesses(world: World): ReturnType<World["processes"]> {
  const network = new Set([world.network.node.pid, ...world.network.datacenters.map(({ process }) => process.pid)]);
  return world.processes().filter(({ pid }) => !network.has(pid));
}

/** Container ids of all instances that run, by `workload/index`, as the datacenters report them. */
export async function containers(world: World): Promise<Readonly<Record<string, string>>> {
  // It fails where a datacenter does not answer, after it has printed what the others say.
  const text = await world.dcx("status", "--json").catch((error: { readonly stdout?: string }) => {
    if (error.stdout === undefined || error.stdout === "") {
      throw error;
    }
    return error.stdout;
  });
  const status = JSON.parse(text) as {
    workloads: Record<string, { instances: { index: number; containerId?: string }[] }>;
  };
  return Object.fromEntries(
    Object.entries(status.workloads).flatMap(([name, { instances }]) =>
      instances.map(({ index, containerId }) => [`${name}/${index}`, containerId ?? ""]),
    ),
  );
}
