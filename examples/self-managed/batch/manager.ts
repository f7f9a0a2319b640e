import { normalizeConnection, normalizeWorkload } from "@dcx/protocol";
import { z } from "zod";
import type { Change, ManagedDeployment, Now } from "../manage";
import { start } from "../workload";
import { wantedNodes } from "./decide";
import { Jobs } from "./jobs";

/** A management tier that leases nodes while there is a batch to train, beside itself, and gives them back after it. */

const Settings = z.object({
  tasksPerNode: z.number(),
  mostNodes: z.number().int(),
  container: z.string(),
  maxPrice: z.string(),
});
type Settings = z.infer<typeof Settings>;

const Job = z.object({
  points: z.array(z.tuple([z.number(), z.number()])).min(2),
  shards: z.number().int().positive(),
});
const Sums = z.object({ n: z.number(), x: z.number(), y: z.number(), xx: z.number(), xy: z.number() });
const Result = z.object({ task: z.number().int(), sums: Sums });

async function main(): Promise<void> {
  const { deployment, settings, serve, repeat } = await start(Settings);
  const jobs = new Jobs(30_000);
  serve((method, { pathname }, body) => {
    const job = /^\/jobs\/(\d+)$/.exec(pathname)?.[1];
    if (method === "POST" && pathname === "/jobs") {
      const { points, shards } = Job.parse(body);
      return { job: jobs.add(points, shards) };
    }
    if (method === "POST" && pathname === "/results") {
      const { task, sums } = Result.parse(body);
      jobs.finish(task, sums);
      return {};
    }
    if (pathname === "/task") {
      return jobs.take(Date.now());
    }
    return job === undefined ? undefined : jobs.result(Number(job));
  });
  repeat(1000, async () => {
    await deployment.change((now) => scale(now, jobs.unfinished(), settings, deployment));
  });
}

function scale(now: Now, unfinished: number, settings: Settings, deployment: ManagedDeployment): Change | undefined {
  const batch = now.infrastructures.find(({ name }) => name === "batch");
  const nodes = batch?.resources[0]?.count ?? 0;
  const wanted = wantedNodes({ unfinished, nodes }, settings);
  if (wanted === nodes) {
    return undefined;
  }
  console.log(`${unfinished} tasks to do: ${nodes} → ${wanted} nodes`);
  if (wanted === 0) {
    return {
      removed: ["batch"],
      manifest: { workloads: { trainer: null }, connections: { "trainer-to-manager": null } },
    };
  }
  // In the datacenter where the data is.
  const datacenters = now.leases.filter(({ id }) => id?.infrastructure === "home").map(({ datacenter }) => datacenter);
  const size = { cpu: "100m", memory: "128Mi", disk: "256Mi", maxPrice: settings.maxPrice };
  return {
    infrastructures: [deployment.infrastructure({ name: "batch", datacenters, ...size, count: wanted })],
    manifest: {
      workloads: {
        trainer: normalizeWorkload({ infrastructure: "batch", container: settings.container, count: wanted }),
      },
      connections: {
        "trainer-to-manager": normalizeConnection({ to: "manager", port: 7000, from: { workload: "trainer" } }),
      },
    },
  };
}

main().catch((error: unknown) => {
  console.error(String(error));
  process.exit(1);
});
