import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  type AccountSigner,
  type DeploymentId,
  formatTokens,
  messages,
  parseRate,
  readKeyFile,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import { configuredDriver } from "../provider/src/network/configured";
import { resourcesOn } from "../provider/src/resources";
import { schemaText } from "../provider/src/schema/package-schema";
import { serve } from "../provider/src/server/serve";
import { expectNothingLeft } from "./support/checks";
import { type Program, Stack } from "./support/stack";
import { dcxCommand, World } from "./support/world";

jest.setTimeout(600_000);

/**
 * Two pipelines at once, under the real engine: two stacks on one deployment, with one key and with two. Nobody loses a
 * transaction; of two that change the same thing one wins, and the other is told what was changed, by whom, and where.
 */

/** Capacity of one team, which lets a manager change what runs on it. */
function capacity(maxPrice: string, manager: string): Program {
  const resources = [{ cpu: "50m", memory: "64Mi", disk: "64Mi", count: 3, maxPrice }];
  return {
    resources: {
      shop: {
        type: "dcx:Deployment",
        properties: {
          infrastructures: { main: { region: "us-east", persist: true, resources } },
          managers: [{ address: manager, mayChangeVersion: true }],
        },
      },
    },
    outputs: { deployment: "${shop.deploymentId}" },
  };
}

/** What another team runs on it: a workload for each name. */
function workloads(deployment: unknown, names: readonly string[], config?: Program["config"]): Program {
  const properties = { deployment, infrastructure: "main", container: "dcx.example/two-tier-api:1.0" };
  return {
    ...(config === undefined ? {} : { config }),
    resources: Object.fromEntries(
      names.map((name) => [name, { type: "dcx:Workload", properties: { ...properties, name } }]),
    ),
  };
}

const managerKey = "42".repeat(32);
/** What tenant and manager make manifests with: the same for both. */
const namespaceKey = "shared by the tenant and its manager";

let world: World;
let tenant: AccountSigner;
let manager: AccountSigner;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  world = World.create({ environment: { DCX_NAMESPACE_KEY: namespaceKey } });
  await world.startNetwork();
  tenant = await signerFromPrivateKey(readKeyFile(world.paths.tenantKey).privateKey);
  manager = await signerFromPrivateKey(managerKey);
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  await world.close();
});

async function deploymentNow(id: DeploymentId) {
  const { deployment } = await (await world.client()).deployment(id);
  if (deployment === undefined) throw new Error("There is no such deployment.");
  return deployment;
}

/** The plugin in this process, for a stack of its own: `before` runs right before each of its transactions is sent. */
async function attached(before: () => Promise<void>): Promise<Readonly<Record<string, string>>> {
  const environment = { ...process.env, ...world.environment };
  const provider = serve({
    version: "0.0.0",
    environment,
    schema: async () => schemaText(),
    components: async () => new Map(),
    load: async (configuration) => {
      const driver = configuredDriver(configuration, environment);
      closers.push(() => driver.close());
      const submit = driver.submit.bind(driver);
      driver.submit = async (transaction, signal) => {
        await before();
        return submit(transaction, signal);
      };
      return resourcesOn(driver, { ...configuration, timeout: configuration.timeouts.create });
    },
  });
  const listener = createServer(provider.accept);
  const port = await new Promise<number>((resolve) => {
    listener.listen(0, "127.0.0.1", () => {
      const bound = listener.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : 0);
    });
  });
  closers.push(() => {
    provider.close();
    listener.close();
  });
  return { ...world.environment, PULUMI_DEBUG_PROVIDERS: `dcx:${port}` };
}

test("two pipelines on one deployment: nothing is lost, and the loser is told what, by whom and where", async () => {
  const client = await world.client();
  let rival: () => Promise<void> = async () => {};
  const owner = await Stack.create(
    "owner",
    join(world.home, "programs", "owner"),
    capacity("0.25/h", manager.address),
    await attached(() => rival()),
  );
  await owner.up();
  const { deployment } = await owner.outputs();
  const id = { tenant: tenant.address, sequence: BigInt(String(deployment).split("/").at(-1) ?? "") };

  // The manager's pipeline holds no key, a command signs for it, and no token: the tenant pays its fees.
  const keyFile = join(world.home, "manager.key");
  writeFileSync(keyFile, managerKey, { mode: 0o600 });
  await world.dcx("fees", "grant", manager.address, "--limit", "1");
  const asManager = {
    "dcx:network": { value: "exchange" },
    "dcx:endpoints": { value: JSON.stringify([world.network.rpcUrl]) },
    "dcx:chainId": { value: world.network.chainId },
    "dcx:signerCommand": { value: JSON.stringify([dcxCommand, "keys", "sign", "--file", keyFile]) },
    "dcx:feeGranter": { value: tenant.address },
    // In clear, as nobody should write it: what is secret is kept encrypted all the same.
    "dcx:namespaceKey": { value: namespaceKey },
  };
  const first = await world.stack("first", workloads(deployment, ["a"]));
  const second = await world.stack("second", workloads(deployment, ["b"], asManager));

  // All three at once, beside another program with the tenant's key that sends as fast as it can.
  const program = await SigningExchangeClient.connect(client, tenant);
  const sending = Array.from({ length: 8 }, () =>
    program.submit([messages.send(tenant.address, tenant.address, 1n, "udcx")]),
  );
  owner.write(capacity("0.30/h", manager.address));
  await Promise.all([owner.up(), first.up(), second.up()]);
  const sent = await Promise.all(sending);
  expect(new Set(sent.map(({ hash }) => hash)).size).toBe(8);
  expect(await deploymentNow(id)).toMatchObject({ revision: 4n, manifestEntries: 2 });
  expect((await client.account(manager.address))?.balance).toBe(0n);
  const [grant] = await client.feeGrants(manager.address);
  expect(grant?.limit).toBeLessThan(1_000_000n);
  for (const stack of [owner, second]) expect((await stack.preview()).steps).toEqual([]);

  // The manager changes the price while the owner's own change of it is on its way.
  const own = await SigningExchangeClient.connect(client, manager);
  let won = "";
  rival = async () => {
    rival = async () => {};
    const { revision, infrastructures } = await deploymentNow(id);
    const terms = infrastructures.flatMap((one) => (one.terms === undefined ? [] : [one.terms]));
    const dearer = terms.map((one) => ({
      ...one,
      resources: one.resources.map((group) => ({ ...group, price: parseRate("0.60/h", 500).toString() })),
    }));
    const change = messages.updateDeployment({ sender: manager.address, id, revision, infrastructures: dearer });
    won = (await own.submit([change], { feeGranter: tenant.address })).hash;
  };
  owner.write(capacity("0.35/h", manager.address));
  const failure = await owner.up().then(
    () => "nobody told it",
    (error: unknown) => String(error),
  );
  expect(failure).toContain(`somebody else changed deployment ${String(deployment)}: revision 4 → 5`);
  expect(failure).toContain(`by ${manager.address} (manager) in transaction ${won} at block `);
  expect(failure).toContain("infrastructures.main.resources[0].maxPrice 0.30/h → 0.60/h");
  expect((await deploymentNow(id)).revision).toBe(5n);

  // Told of it, the owner decides.
  const seen = await owner.preview();
  expect(seen.steps.filter(({ operation }) => operation === "update").map(({ diffs }) => diffs)).toEqual([
    ["infrastructures.main.resources[0].maxPrice"],
  ]);
  await owner.up();
  expect((await deploymentNow(id)).revision).toBe(6n);

  const states = readdirSync(join(world.home, "backend"), { recursive: true, withFileTypes: true });
  // The engine's own history keeps a configuration as it was written.
  const kept = states.filter((one) => one.isFile() && !one.name.endsWith(".history.json"));
  const texts = kept.map((one) => readFileSync(join(one.parentPath, one.name), "utf8"));
  expect(texts.some((text) => text.includes(manager.address))).toBe(true);
  expect(texts.filter((text) => text.includes(namespaceKey) || text.includes(managerKey))).toEqual([]);

  for (const stack of [second, first, owner]) await stack.destroy();
  expect(formatTokens((await client.totals()).collateral)).toBe("0");
  await expectNothingLeft(world);
});
