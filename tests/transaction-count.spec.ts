import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Program } from "./support/stack";
import { World } from "./support/world";

jest.setTimeout(600_000);

const [workloads, connections] = [20, 40];

/** In a region where nobody sells: what is counted here are transactions, so nothing has to run. */
function program(form: "inline" | "separate"): Program {
  const group = { cpu: "100m", memory: "64Mi", disk: "64Mi", count: workloads, maxPrice: "0.40/h" };
  const names = Array.from({ length: workloads }, (_, index) => `w${index + 1}`);
  const workload = { infrastructure: "far", container: "dcx.example/two-tier-api:1.0", ports: [9000] };
  const links = Array.from({ length: connections }, (_, index) => {
    const [from, to] = [names[index % workloads], names[(index + 1 + Math.floor(index / workloads)) % workloads]];
    return { name: `c${index + 1}`, from: from ?? "", to: to ?? "" };
  });
  const deployment = { infrastructures: { far: { region: "nowhere", resources: [group] } }, skipAwait: true };
  if (form === "inline") {
    const inline = {
      workloads: Object.fromEntries(names.map((name) => [name, workload])),
      connections: Object.fromEntries(
        links.map(({ name, from, to }) => [name, { to, port: 9000, from: { workload: from } }]),
      ),
    };
    return { resources: { shop: { type: "dcx:Deployment", properties: { ...deployment, ...inline } } } };
  }
  const part = (type: string, name: string, properties: Record<string, unknown>): Record<string, unknown> => ({
    type: `dcx:${type}`,
    properties: { deployment: "${shop.id}", name, skipAwait: true, ...properties },
  });
  return {
    resources: {
      shop: { type: "dcx:Deployment", properties: deployment },
      ...Object.fromEntries(names.map((name) => [name, part("Workload", name, workload)])),
      ...Object.fromEntries(
        links.map(({ name, from, to }) => [
          name,
          part("Connection", name, { to: `\${${to}.name}`, port: 9000, from: { workload: `\${${from}.name}` } }),
        ]),
      ),
    },
  };
}

/**
 * Milliseconds between blocks: longer than an engine at that parallelism needs to ask for all that it works on at once,
 * on a busy machine too. One that works on a single resource asks for nothing else meanwhile.
 */
const blockIntervals = { 1: 200, 4: 500, 16: 1_000 } as const;

describe("one deployment with 20 workloads and 40 connections", () => {
  let world: World;
  let trace: string;

  async function start(blockInterval: number): Promise<void> {
    world = World.create({ blockInterval, environment: { DCX_TRACE: trace } });
    await world.startNetwork();
  }

  beforeEach(() => {
    trace = join(mkdtempSync(join(tmpdir(), "dcx-count-")), "trace");
  });
  afterEach(async () => {
    await world.close();
    rmSync(dirname(trace), { recursive: true, force: true });
  });

  /** Transactions that the tenant has in blocks. */
  async function sent(): Promise<bigint> {
    const { readKeyFile } = await import("@dcx/protocol");
    return (await (await world.client()).account(readKeyFile(world.paths.tenantKey).address))?.sequence ?? 0n;
  }

  test("inline: one transaction, and one to end it", async () => {
    await start(200);
    const stack = await world.stack("inline", program("inline"));
    await stack.up();
    expect(await sent()).toBe(1n);
    await stack.destroy();
    expect(await sent()).toBe(2n);
  });

  test.each([1, 4, 16] as const)(
    "separate, with skipAwait at parallelism %d: at most 1 + 2·(⌈20/p⌉ + ⌈40/p⌉), one after the other",
    async (parallel) => {
      await start(blockIntervals[parallel]);
      const stack = await world.stack("separate", program("separate"));
      await stack.up({ parallel });
      const most = 1 + 2 * (Math.ceil(workloads / parallel) + Math.ceil(connections / parallel));
      expect(Number(await sent())).toBeLessThanOrEqual(most);
      const [deployment] = (await (await world.client()).deployments({})).deployments;
      expect(deployment?.manifestEntries).toBe(workloads + connections);
      const commits = commitsIn(readFileSync(trace, "utf8"));
      expect(commits.length).toBeGreaterThan(1);
      for (const [index, { start }] of commits.slice(1).entries()) {
        expect(start).toBeGreaterThanOrEqual(commits[index]?.end ?? Number.POSITIVE_INFINITY);
      }
      await stack.destroy();
    },
  );
});

/** The group commits of a trace (provider/src/network/trace.ts), in the order in which they began. */
function commitsIn(trace: string): readonly { readonly start: number; readonly end: number }[] {
  const Line = z.object({ operation: z.string(), start: z.number(), end: z.number() });
  return trace
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Line.parse(JSON.parse(line)))
    .filter(({ operation }) => operation === "Commit")
    .sort((one, other) => one.start - other.start);
}
