import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { commandErrors } from "../docs/shell-fences";
import { root } from "../support/root";
import type { Program } from "../support/stack";
import { World } from "../support/world";
import { compilePolicies, policyPack } from "./policies";

jest.setTimeout(300_000);

const group = { cpu: 1, memory: "1Gi", disk: "1Gi", count: 3, maxPrice: "0.25/h" };

function program(parts: { region?: string; maxPrice?: string; image?: string; limit?: string }): Program["resources"] {
  const { region = "us-east", maxPrice = "0.25/h", image = "acme/web:1.4", limit = "200" } = parts;
  return {
    shop: {
      type: "dcx:Deployment",
      properties: {
        infrastructures: { a: { ...(region === "" ? {} : { region }), resources: [{ ...group, maxPrice }] } },
        workloads: { web: { infrastructure: "a", container: image } },
        ...(limit === "" ? {} : { maxCostPerMonth: limit }),
      },
    },
  };
}

const digest = `sha256:${"0".repeat(64)}`;

/** The policies under the real engine, which asks them about every resource of a preview. */
describe("the policy pack", () => {
  let world: World;
  beforeAll(() => {
    compilePolicies();
    world = World.create();
  });
  afterAll(() => world.close());

  async function preview(name: string, resources: Program["resources"]): Promise<string> {
    const stack = await world.stack(name, { resources });
    const host = join(root, "tests", "support", "policy-host");
    const env = { ...process.env, ...world.environment, PATH: [host, process.env["PATH"]].join(delimiter) };
    const policies = ["--policy-pack", policyPack, "--policy-pack-config", join(policyPack, "policy-config.json")];
    const args = ["preview", "--non-interactive", "--color", "never", ...policies];
    return promisify(execFile)("pulumi", args, { cwd: stack.directory, env }).then(
      ({ stdout }) => stdout,
      (error: unknown) => z.looseObject({ stdout: z.string() }).parse(error).stdout,
    );
  }

  test("lets pass what keeps to it", async () => {
    const text = await preview("good", program({ image: `acme/web:latest@${digest}` }));
    expect(text).toContain("✅ dcx@");
    expect(text).not.toContain("[mandatory]");
  });

  test("refuses each thing that it is for, with the place and the rule", async () => {
    const text = await preview(
      "bad",
      program({ region: "", maxPrice: "0.75/h", image: "acme/web:latest", limit: "601" }),
    );
    expect(text).toContain(
      "Infrastructure a names no region, so any datacenter may win it. Allowed: us-east, us-west.",
    );
    expect(text).toContain("infrastructures.a.resources[0].maxPrice is 0.75/h, the most is 0.5/h.");
    expect(text).toContain("Workload web runs acme/web:latest: name a version or a digest.");
    expect(text).toContain("maxCostPerMonth is 601, the most is 600.");
    expect(text.match(/\[mandatory\]/g)).toHaveLength(4);
  });
});

/** What the compiled pack exports. */
interface Rules {
  perHour(price: string, blockSeconds: number | undefined): number | undefined;
  pricesAbove(inputs: unknown, most: number, blockSeconds?: number): readonly string[];
  regionsBeyond(inputs: unknown, allowed: readonly string[]): readonly string[];
  movingImage(where: string, workload: unknown): readonly string[];
  unboundedCost(inputs: unknown, most: number | undefined): readonly string[];
}

describe("its rules", () => {
  beforeAll(compilePolicies);
  const rules = (): Rules => require(join(policyPack, "dist", "rules.js"));

  test("compare prices of every spelling", () => {
    const { perHour, pricesAbove } = rules();
    expect(["0.4/h", "12/day", "720/month", "500000u/h", "1/block"].map((price) => perHour(price, 3600))).toEqual([
      0.4, 0.5, 1, 0.5, 1,
    ]);
    const at = (maxPrice: string) => ({ infrastructures: { a: { resources: [{ maxPrice }] } } });
    expect(pricesAbove(at("20u/block"), 1)).toEqual([expect.stringContaining("write it per hour")]);
    expect(pricesAbove(at("20u/block"), 1, 0.5)).toEqual([]);
    expect(pricesAbove(at("200u/block"), 1, 0.5)).toEqual([expect.stringContaining("the most is 1/h")]);
  });

  test("know an image that can change from one that can not", () => {
    const { movingImage } = rules();
    const moving = ["web:latest", "localhost:5000/web:latest", { image: "web:latest" }];
    const fixed = ["web:1", "localhost:5000/web:1.2", `web@${digest}`, `web:latest@${digest}`, { image: "web:1" }];
    expect(moving.flatMap((container) => movingImage("w", { container }))).toHaveLength(moving.length);
    expect(fixed.flatMap((container) => movingImage("w", { container }))).toEqual([]);
  });

  test("ask for a limit of the cost and for a region", () => {
    const { unboundedCost, regionsBeyond } = rules();
    expect(unboundedCost({}, undefined)).toEqual([expect.stringContaining("is missing")]);
    expect(unboundedCost({ maxCostPerMonth: "5" }, undefined)).toEqual([]);
    expect(regionsBeyond({ infrastructures: { a: { region: "eu" }, b: { region: "us" } } }, ["us"])).toEqual([
      "Infrastructure a is in eu. Allowed: us.",
    ]);
  });
});

const GitLab = z.looseObject({
  default: z.looseObject({ before_script: z.array(z.string()) }),
  preview: z.looseObject({ script: z.array(z.string()) }),
  up: z.looseObject({ script: z.array(z.string()), resource_group: z.string() }),
  drift: z.looseObject({ script: z.array(z.string()) }),
});

test("the pipeline for GitLab calls what there is, and the same as the workflow", async () => {
  const folder = join(root, "examples", "gitops");
  const {
    default: all,
    preview,
    up,
    drift,
  } = GitLab.parse(parse(readFileSync(join(folder, ".gitlab-ci.yml"), "utf8")));
  const lines = [...all.before_script, ...preview.script, ...up.script, ...drift.script];
  const script = { page: ".gitlab-ci.yml", line: 1, language: "sh", continues: false, unchecked: undefined };
  expect(await commandErrors([{ ...script, text: lines.join("\n") }])).toEqual([]);
  const workflow = readFileSync(join(folder, ".github", "workflows", "dcx.yml"), "utf8").replaceAll(/\\\n */g, "");
  for (const line of [...preview.script, ...up.script, ...drift.script]) {
    expect(workflow).toContain(line);
  }
});

const named = z.looseObject({ name: z.string(), namespace: z.string().optional() });
const EnvReference = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("Literal"), literal: z.strictObject({ value: z.string() }) }),
  z.strictObject({ type: z.literal("Secret"), secret: z.strictObject({ name: z.string(), key: z.string() }) }),
]);
const ProgramManifest = z.strictObject({
  apiVersion: z.literal("pulumi.com/v1"),
  kind: z.literal("Program"),
  metadata: named,
  program: z.strictObject({
    resources: z.record(z.string(), z.unknown()),
    outputs: z.record(z.string(), z.unknown()),
  }),
});
/** Of the fields that the operator's definition of a Stack has, those that the example uses. */
const StackManifest = z.strictObject({
  apiVersion: z.literal("pulumi.com/v1"),
  kind: z.literal("Stack"),
  metadata: named,
  spec: z.strictObject({
    serviceAccountName: z.string(),
    programRef: z.strictObject({ name: z.string() }),
    stack: z.string(),
    backend: z.string(),
    refresh: z.boolean(),
    continueResyncOnCommitMatch: z.boolean(),
    resyncFrequencySeconds: z.int(),
    destroyOnFinalize: z.boolean(),
    config: z.record(z.string(), z.string()),
    envRefs: z.record(z.string(), EnvReference),
    workspaceTemplate: z.strictObject({
      spec: z.strictObject({ image: z.string(), resources: z.record(z.string(), z.record(z.string(), z.string())) }),
    }),
  }),
});

test("the operator's manifests belong together, and the engine previews their program", async () => {
  const text = readFileSync(join(root, "examples", "gitops", "kubernetes", "stack.yaml"), "utf8");
  const manifests = parseAllDocuments(text).map((document) => document.toJS() as { kind: string });
  const of = (kind: string): unknown => manifests.find((manifest) => manifest.kind === kind);
  const program = ProgramManifest.parse(of("Program"));
  const stack = StackManifest.parse(of("Stack"));
  const account = z.looseObject({ metadata: named }).parse(of("ServiceAccount"));
  expect(stack.spec.programRef.name).toBe(program.metadata.name);
  expect(stack.spec.serviceAccountName).toBe(account.metadata.name);
  expect(stack.metadata.namespace).toBe(program.metadata.namespace);
  const world = World.create();
  try {
    const previewed = await (await world.stack("operator", program.program)).preview();
    expect(previewed.steps.map(({ name, operation }) => [name, operation])).toEqual([["shop", "create"]]);
  } finally {
    await world.close();
  }
});
