import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { readKeyFile } from "@dcx/protocol";
import { expectNothingLeft } from "./support/checks";
import { inline, separate } from "./support/programs";
import type { Program, Stack } from "./support/stack";
import { World } from "./support/world";

jest.setTimeout(600_000);

/** Found nowhere by accident. */
function plant(what: string): string {
  return `planted-${what}-${randomBytes(8).toString("hex")}`;
}

/** All that the engine and its plugins can be made to say, but for PULUMI_DEBUG_GRPC, which is there to say everything. */
const loudest = ["--verbose=9", "--logtostderr", "--logflow", "--debug"];

/** At that level the engine writes every property that it hands over or gets, of any provider, secrets in clear. */
const enginesOwn = /"msg":"(Unm|M)arshaling property for RPC\[/;

describe("secrets that are planted in a program and in its configuration", () => {
  const environment = plant("environment");
  const password = plant("password");
  const namespaceKey = plant("namespace");
  const planted = [environment, password, namespaceKey];
  let world: World;
  let privateKey: string;

  beforeAll(async () => {
    world = World.create({ blockInterval: 200 });
    await world.startNetwork();
    // The key of the network's own tenant, as somebody configures it who deploys from elsewhere.
    privateKey = readKeyFile(world.paths.tenantKey).privateKey;
  });
  afterAll(async () => world.close());

  /** The program on the network as somebody names it who deploys from elsewhere. */
  function onExchange(program: Program): Program {
    const config = { "dcx:network": { value: "exchange" }, "dcx:endpoints": { value: world.network.rpcUrl } };
    return { ...program, config };
  }

  /** With both secrets of the configuration in the stack. */
  async function configured(name: string, program: Program): Promise<Stack> {
    const stack = await world.stack(name, onExchange(program));
    await stack.setSecret("dcx:privateKey", privateKey);
    await stack.setSecret("dcx:namespaceKey", namespaceKey);
    return stack;
  }

  test.each([
    ["inline", inline],
    ["separate", separate],
  ])("occur in no log, message or unencrypted state, and nowhere on chain: %s", async (form, program) => {
    const stack = await configured(`secret-${form}`, withCredentials(program(withSecret("PASSWORD", environment))));
    const up = stack.run("up", "--yes", "--skip-preview", ...loudest);
    expect(up.status).toBe(0);
    expectToKeep(up);
    expectOnlyInstancesToHold(world.home);
    expectToKeep(stack.run("preview", "--diff", ...loudest));

    stack.write(onExchange(program({ apiEnvironment: { "not a name": { "fn::secret": environment } } })));
    const refused = stack.run("up", "--yes", "--skip-preview", ...loudest);
    expect(refused.status).not.toBe(0);
    expect(refused.text).toContain("not a name");
    expectToKeep(refused);

    const failing = withCredentials(program(withSecret("CHANGED", environment)), {
      container: `127.0.0.1:1/${form}:1.0`,
      arguments: [{ "fn::secret": environment }],
    });
    stack.write(onExchange(withTimeout(failing, "6s")));
    const failed = stack.run("up", "--yes", "--skip-preview", ...loudest);
    expect(failed.status).not.toBe(0);
    expect(failed.text).toMatch(/127\.0\.0\.1:1/);
    expectToKeep(failed);
    expectOnlyInstancesToHold(world.home);

    const destroyed = stack.run("destroy", "--yes", "--skip-preview", ...loudest);
    expect(destroyed.status).toBe(0);
    expectToKeep(destroyed);
    await expectNothingLeft(world);
    expect(planted.flatMap((text) => filesWith(text, world.home))).toEqual([]);
  });

  test("are not printed where the configuration is refused", async () => {
    const stack = await configured("refused", inline());
    const wrong = plant("mnemonic");
    await stack.setSecret("dcx:mnemonic", wrong);
    const { status, text } = stack.run("preview", ...loudest);
    expect(status).not.toBe(0);
    expect(text).toContain("mnemonic");
    expectToKeep({ text }, wrong);
  });

  test("the key lies in its own file and nowhere else", () => {
    const keys = dirname(world.paths.tenantKey);
    expect(filesWith(privateKey, world.home).filter((file) => dirname(file) !== keys)).toEqual([]);
  });

  function expectToKeep({ text }: { readonly text: string }, ...others: readonly string[]): void {
    const lines = text.split("\n").filter((line) => !enginesOwn.test(line));
    for (const secret of [...planted, privateKey, ...others]) {
      expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    }
  }

  /** Fails where anything but a process that runs with it has a text. */
  function expectOnlyInstancesToHold(folder: string): void {
    const found = planted.flatMap((text) => filesWith(text, folder));
    expect(found.filter((file) => !handedToProcess.test(file))).toEqual([]);
    expect(found.filter((file) => (statSync(dirname(file)).mode & 0o077) !== 0)).toEqual([]);
  }

  function withSecret(name: string, text: string): { readonly apiEnvironment: Record<string, unknown> } {
    return { apiEnvironment: { [name]: { "fn::secret": text } } };
  }

  /** With credentials for the registry of the image of `api`, and whatever else is to be different about it. */
  function withCredentials(
    program: Program,
    more: { readonly container?: string } & Record<string, unknown> = {},
  ): Program {
    const changed = structuredClone(program) as { resources: Record<string, { properties: Record<string, unknown> }> };
    const { api, shop } = changed.resources;
    const inlined = shop?.properties["workloads"] as Record<string, Record<string, unknown>> | undefined;
    const workload = api?.properties ?? inlined?.["api"];
    Object.assign(workload ?? {}, more, {
      container: {
        image: more.container ?? "dcx.example/two-tier-api:1.0",
        credentials: { username: "somebody", password: { "fn::secret": password } },
      },
    });
    return changed;
  }

  function withTimeout(program: Program, update: string): Program {
    const resources = Object.entries(program.resources as Record<string, Record<string, unknown>>).map(
      ([name, one]) => [name, { ...one, options: { customTimeouts: { create: update, update } } }] as const,
    );
    return { ...program, resources: Object.fromEntries(resources) };
  }
});

/** What a sandbox hands to its process while that runs: in a folder that only the datacenter's user can enter. */
const handedToProcess = /\/runtime\/sandbox\/instances\/[0-9a-f]+\/environment$/;

/** Files that hold a text in clear. The program itself does, as a user's own source would, and is left out. */
function filesWith(text: string, folder: string): readonly string[] {
  const result = spawnSync("grep", ["-rlaF", text, folder, "--exclude-dir=programs"], { encoding: "utf8" });
  // 1: found nothing. Anything above is grep's own failure.
  if (result.status === null || result.status > 1) {
    throw new Error(result.stderr);
  }
  return result.stdout.split("\n").filter((line) => line !== "");
}
