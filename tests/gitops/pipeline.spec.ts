import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ExchangeQueryClient, messages, readKeyFile, SigningExchangeClient, signerFromPrivateKey } from "@dcx/protocol";
import { ask, expectNothingLeft } from "../support/checks";
import { root } from "../support/root";
import { World } from "../support/world";
import { compilePolicies } from "./policies";
import { type StepResult, Workflow } from "./workflow";

jest.setTimeout(300_000);

/** Needs a registry: the policy pack's dependencies are those of the checkout here. */
const registry = ["policies"];

test("the workflow: a preview as a comment, up on merge, and a nightly gate that drift does not pass", async () => {
  compilePolicies();
  const world = World.create();
  try {
    const { rpcUrl } = await world.startNetwork();
    const repository = checkout(world);
    const key = readKeyFile(world.paths.tenantKey).privateKey;
    const context = {
      "vars.DCX_ENDPOINTS": rpcUrl,
      "secrets.DCX_PRIVATE_KEY": key,
      "vars.DCX_PLUGIN_URL": `file://${packPlugin(world)}`,
      "vars.PULUMI_BACKEND_URL": world.environment["PULUMI_BACKEND_URL"] ?? "",
      "secrets.PULUMI_CONFIG_PASSPHRASE": world.environment["PULUMI_CONFIG_PASSPHRASE"] ?? "",
      "github.token": "a token",
      "github.event.pull_request.number": "17",
    };
    const comments = join(world.home, "comments");
    const environment = {
      ...world.environment,
      CI: "true",
      RUNNER_TEMP: world.home,
      COMMENTS: comments,
      PATH: [githubCommand(world), join(root, "tests", "support", "policy-host"), process.env["PATH"]].join(delimiter),
    };
    execFileSync("pulumi", ["stack", "init", "prod"], { cwd: repository, env: { ...process.env, ...environment } });
    execFileSync("pulumi", ["config", "set", "dcx:network", "exchange"], {
      cwd: repository,
      env: { ...process.env, ...environment },
    });
    const workflow = Workflow.read(repository);
    // Installed once: runners are new each time, this world is not.
    const on = (event: string, skipped = [...registry, "plugin"]): Promise<readonly StepResult[]> =>
      workflow.run(event, context, environment, skipped);
    expect(workflow.events).toEqual(["pull_request", "push", "schedule"]);

    const preview = await on("pull_request", registry);
    expect(preview.map(({ step, code }) => [step, code])).toEqual([
      ["plugin", 0],
      ["preview", 0],
      ["comment", 0],
    ]);
    const comment = readFileSync(comments, "utf8");
    expect(comment).toContain("pr comment 17 --edit-last --create-if-none");
    expect(comment).toMatch(/\+ 2 to create/);
    expect(comment).toMatch(/SubmitDeployment/);
    expect(comment).not.toContain(key);

    expect((await on("push")).map(({ step, code }) => [step, code])).toEqual([["up", 0]]);
    const outputs = JSON.parse(
      execFileSync("pulumi", ["stack", "output", "--json"], {
        cwd: repository,
        encoding: "utf8",
        env: { ...process.env, ...environment },
      }),
    ) as { deployment: string; url: string };
    expect(await ask(outputs.url)).toMatchObject({ greeting: "Hello from api" });

    const drift = async () => (await on("schedule")).find(({ step }) => step === "drift");
    expect((await drift())?.code).toBe(0);
    await raisePrice(rpcUrl, key, outputs.deployment);
    const seen = await drift();
    expect(seen?.code).not.toBe(0);
    expect(seen?.output).toContain("maxPrice");
    // Put right by the next merge.
    expect((await on("push")).every(({ code }) => code === 0)).toBe(true);
    expect((await drift())?.code).toBe(0);

    // What breaks a policy does not get past the preview, and its reason is in the comment.
    const program = readFileSync(join(repository, "Pulumi.yaml"), "utf8");
    writeFileSync(join(repository, "Pulumi.yaml"), program.replace('"0.25/h"', '"0.75/h"'));
    const refused = await on("pull_request");
    expect(refused.map(({ step, code }) => [step, code === 0])).toEqual([
      ["preview", false],
      ["comment", true],
    ]);
    expect(readFileSync(comments, "utf8")).toContain("maxPrice is 0.75/h, the most is 0.5/h");

    execFileSync("pulumi", ["destroy", "--yes", "--stack", "prod"], {
      cwd: repository,
      env: { ...process.env, ...environment, DCX_ENDPOINTS: rpcUrl, DCX_PRIVATE_KEY: key },
    });
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

/** The example as a repository of its own. */
function checkout(world: World): string {
  const repository = join(world.home, "repository");
  cpSync(join(root, "examples", "gitops"), repository, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(repository, "node_modules"));
  return repository;
}

/** The plugin as a release has it: one executable in an archive. */
function packPlugin(world: World): string {
  const folder = join(world.home, "release");
  mkdirSync(folder);
  const executable = join(folder, "pulumi-resource-dcx");
  writeFileSync(executable, `#!/bin/sh\nexec "${join(root, "provider", "bin", "pulumi-resource-dcx")}" "$@"\n`);
  chmodSync(executable, 0o755);
  const archive = join(folder, "pulumi-resource-dcx-v0.1.0-linux-amd64.tar.gz");
  execFileSync("tar", ["-czf", archive, "-C", folder, "pulumi-resource-dcx"]);
  return archive;
}

/** In place of GitHub's command: keeps what it is asked, and the text that it would post. */
function githubCommand(world: World): string {
  const folder = join(world.home, "commands");
  mkdirSync(folder);
  const command = join(folder, "gh");
  writeFileSync(command, '#!/bin/sh\n[ -n "$GH_TOKEN" ] || exit 4\n{ echo "$@"; cat comment.md; } > "$COMMENTS"\n');
  chmodSync(command, 0o755);
  return folder;
}

/** What no pipeline did: a transaction of the tenant's own. */
async function raisePrice(rpcUrl: string, privateKey: string, deployment: string): Promise<void> {
  const [, tenant = "", sequence = ""] = deployment.split("/");
  const id = { tenant, sequence: BigInt(sequence) };
  using query = await ExchangeQueryClient.connect(rpcUrl);
  const client = await SigningExchangeClient.connect(query, await signerFromPrivateKey(privateKey));
  const { deployment: found } = await query.deployment(id);
  const infrastructures = (found?.infrastructures ?? []).flatMap(({ terms }) => (terms === undefined ? [] : [terms]));
  for (const group of infrastructures.flatMap(({ resources }) => resources)) {
    group.price = (BigInt(group.price) * 2n).toString();
  }
  await client.submit([
    messages.updateDeployment({ sender: tenant, id, revision: found?.revision ?? 0n, infrastructures }),
  ]);
}
