import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, containers, expectNothingLeft } from "./support/checks";
import { root } from "./support/root";
import { World } from "./support/world";

jest.setTimeout(300_000);

const secret = "a word of the test";
const file = readFileSync(join(root, "examples", "application", "shop.yaml"), "utf8");

test("an application from one file, with a secret of the configuration: up, no change, a change, destroy", async () => {
  const world = World.create();
  try {
    const stack = await world.stack("application", {
      resources: { shop: { type: "dcx:Application", properties: { file: "shop.yaml" } } },
      outputs: { deployment: "${shop.deployment.deploymentId}", url: '${shop.addresses["public"]}' },
    });
    const path = join(stack.directory, "shop.yaml");
    writeFileSync(path, file);
    const environment = { ...process.env, ...world.environment };
    execFileSync("pulumi", ["config", "set", "--secret", "databaseUrl", secret], {
      cwd: stack.directory,
      env: environment,
    });

    const foreseen = await stack.preview();
    expect(foreseen.steps.map(({ type, operation }) => [type, operation])).toEqual([
      ["dcx:index:Application", "create"],
      ["dcx:index:Deployment", "create"],
    ]);
    expect(foreseen.diagnostics).toMatch(/SubmitDeployment/);
    await stack.up();
    const { deployment, url } = await stack.outputs();
    expect(await ask(url)).toMatchObject({ region: "us-west", api: { region: "us-east" } });
    expect((await stack.preview()).steps).toEqual([]);
    expect(state(world)).not.toContain(secret);
    const kept = (await stack.resources()).map(({ urn }) => urn.split("::").slice(2).join("::"));
    expect(kept).toContain("dcx:index:Application$dcx:index:Deployment::shop");
    // One provider does both: the child asks for no other version of it.
    expect(kept.filter((name) => name.startsWith("pulumi:providers:dcx"))).toHaveLength(1);

    const before = await containers(world);
    writeFileSync(path, file.replace('tag: "1.0"', 'tag: "1.1"'));
    const changed = await stack.up();
    expect(changed.steps.map(({ type, operation, diffs }) => [type, operation, diffs])).toEqual([
      ["dcx:index:Deployment", "update", ["workloads.api.container"]],
    ]);
    const after = await containers(world);
    expect(after["web/0"]).toBe(before["web/0"]);
    expect(after["api/0"]).not.toBe(before["api/0"]);
    expect((await stack.outputs())["deployment"]).toBe(deployment);

    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});

/** All that the backend keeps on the disk. */
function state(world: World): string {
  const folder = join(world.home, "backend");
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}
