import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { purgeDatacenter, readDatacenterConfiguration } from "@dcx/datacenter";
import {
  allTokens,
  ExchangeQueryClient,
  LeaseState,
  messages,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import pino from "pino";
import { ask } from "./support/checks";
import { inline } from "./support/programs";
import { root } from "./support/root";
import { Stack } from "./support/stack";
import { Validators } from "./support/validators";
import { dcxCommand, eventually } from "./support/world";

jest.setTimeout(600_000);

const chainId = "dcx-validators-1";
const patience = 180_000;
const keys = { tenant: "1a", payer: "1b", west: "1c", east: "1d" };

/** An exchange of four validators and two datacenters, each with processes of its own, and the real engine on it. */
describe("an exchange of four validators", () => {
  let folder: string;
  let validators: Validators;
  let query: ExchangeQueryClient;
  let stack: Stack;
  let tenant: string;
  const agents: { readonly configuration: string; readonly process: ChildProcess }[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-validators-"));
    const addresses = await Promise.all(
      Object.values(keys).map(async (key) => (await signerFromPrivateKey(key.repeat(32))).address),
    );
    tenant = (await signerFromPrivateKey(keys.tenant.repeat(32))).address;
    validators = await Validators.start({
      folder,
      count: 4,
      chainId,
      accounts: Object.fromEntries(addresses.map((address) => [address, 1_000_000n])),
      // A block each half second; leases that outlast what happens to the validators here.
      parameters: { reconfirmationPeriod: "240" },
    });
    query = await eventually("the first block", patience, () => ExchangeQueryClient.connect(validators.endpoints));
    for (const [name, region] of [
      ["west", "us-west"],
      ["east", "us-east"],
    ] as const) {
      agents.push(startAgent(name, region));
    }
    await eventually("both datacenters register", patience, async () => {
      return (await query.datacenters()).datacenters.length === 2;
    });
    const environment = {
      DCX_HOME: join(folder, "dcx"),
      DCX_NETWORK: "exchange",
      DCX_ENDPOINTS: validators.endpoints.join(","),
      DCX_CHAIN_ID: chainId,
      DCX_PRIVATE_KEY: keys.tenant.repeat(32),
      PULUMI_HOME: join(folder, "pulumi"),
      PULUMI_BACKEND_URL: `file://${folder}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase of the tests",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
    stack = await Stack.create("validators", join(folder, "program"), { config: {}, ...inline() }, environment);
  });

  afterAll(async () => {
    query?.close();
    for (const { configuration, process: agent } of agents) {
      const gone = once(agent, "exit");
      if (agent.kill("SIGTERM")) await gone;
      const read = readDatacenterConfiguration(readFileSync(configuration, "utf8"));
      await purgeDatacenter(read, { volumes: "remove", logger: pino({ level: "silent" }) });
    }
    await validators?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function startAgent(name: "west" | "east", region: string): (typeof agents)[number] {
    const keyFile = join(folder, `${name}.key`);
    writeFileSync(keyFile, JSON.stringify({ privateKey: keys[name].repeat(32) }), { mode: 0o600 });
    const configuration = join(folder, `${name}.json`);
    writeFileSync(
      configuration,
      JSON.stringify({
        chain: { endpoints: validators.endpoints, chainId },
        keyFile,
        home: join(folder, name),
        name,
        region,
        capacity: { cpu: 8, memory: "8Gi", disk: "40Gi" },
        isolation: process.env["DCX_TEST_ISOLATION"] ?? "sandbox",
        imageLayouts: [join(root, ".cache", "images")],
        trustedTenants: [tenant],
      }),
    );
    const log = openSync(`${configuration}.log`, "a");
    const agent = spawn(dcxCommand, ["datacenter", "start", "--config", configuration], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    return { configuration, process: agent };
  }

  /** The header's app hash at a height that all validators have: one, or they are at odds. */
  async function appHashes(): Promise<readonly string[]> {
    const newest = await query.height();
    await eventually(`all validators have block ${newest}`, patience, async () => {
      const heights = await Promise.all(validators.all.map((one) => validators.height(one)));
      return heights.every((height) => height !== undefined && height >= newest);
    });
    return [...new Set(await Promise.all(validators.all.map((one) => validators.appHash(one, newest))))];
  }

  test("takes a deployment from pulumi up", async () => {
    await stack.up();
    const { url } = await stack.outputs();
    expect(await ask(url)).toMatchObject({ region: "us-west", api: { region: "us-east" } });
    expect((await stack.preview()).steps).toEqual([]);
  });

  test("loses nothing that was committed when each validator is killed in turn", async () => {
    const signer = await signerFromPrivateKey(keys.payer.repeat(32));
    const client = await SigningExchangeClient.connect(query, signer);
    const { denomination } = await query.parameters();
    const hashes: string[] = [];
    let paying = true;
    const load = (async () => {
      while (paying) {
        hashes.push((await client.submit([messages.send(signer.address, signer.address, 1n, denomination)])).hash);
      }
    })();
    for (const [index, validator] of validators.all.entries()) {
      const before = hashes.length;
      await validators.kill(validator, index % 2 === 0 ? "application" : "engine");
      const goesOn = eventually("transactions go on without it", patience, async () => hashes.length > before + 1);
      // A payment that fails is what went wrong, not that no other follows it.
      await Promise.race([load, goesOn]);
      validators.run(validator);
      const newest = await query.height();
      await eventually("it catches up", patience, async () => ((await validators.height(validator)) ?? 0n) >= newest);
    }
    paying = false;
    await load;
    expect(await appHashes()).toHaveLength(1);
    for (const endpoint of validators.endpoints) {
      const one = await ExchangeQueryClient.connect(endpoint);
      try {
        for (const hash of hashes) expect(await one.transaction(hash)).toMatchObject({ hash, abciCode: 0 });
      } finally {
        one.close();
      }
    }
    expect((await query.leases({ state: LeaseState.ACTIVE })).leases).toHaveLength(2);
    expect(await ask((await stack.outputs())["url"])).toMatchObject({ region: "us-west" });
  });

  test("halts while two of four are away, and goes on when they are back", async () => {
    const [first, second, third] = validators.all;
    if (first === undefined || second === undefined || third === undefined) throw new Error("there are four");
    const away = [first, second];
    for (const validator of away) await validators.kill(validator, "engine");
    // What was decided before may still come.
    let last = await validators.height(third);
    await eventually("the chain halts", patience, async () => {
      const before = last;
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      last = await validators.height(third);
      return last !== undefined && last === before;
    });
    for (const validator of away) validators.run(validator);
    await eventually(
      "the chain goes on",
      patience,
      async () => ((await validators.height(third)) ?? 0n) > (last ?? 0n),
    );
    expect(await appHashes()).toHaveLength(1);
  });

  test.each([
    { how: "all blocks", options: () => [] },
    {
      how: "a snapshot",
      options: () => validators.endpoints.slice(0, 2).flatMap((url) => ["--state-sync", url]),
    },
  ])("lets another node join by $how", async ({ how, options }) => {
    const node = await validators.join(join(folder, how.replace(" ", "-")), options());
    const [first] = validators.all;
    if (first === undefined) throw new Error("there are four");
    const before = await query.height();
    const newest = await eventually("it goes on with the chain", patience, async () => {
      const height = (await validators.height(node)) ?? 0n;
      return height > before && height;
    });
    expect(await validators.appHash(node, newest)).toBe(await validators.appHash(first, newest));
    const earliest = await validators.earliest(node);
    if (how === "a snapshot") expect(earliest).toBeGreaterThan(1n);
    else expect(earliest).toBe(1n);
    const own = await ExchangeQueryClient.connect(node.rpcUrl);
    try {
      expect((await own.leases({ state: LeaseState.ACTIVE })).leases).toHaveLength(2);
    } finally {
      own.close();
    }
  });

  test("lets a node join with one command, which goes on with it when it is said again", async () => {
    const home = join(folder, "joined");
    const node = await validators.joinByCommand(home);
    const has = (height: bigint) => async () => ((await validators.height(node)) ?? 0n) > height;
    await eventually("it goes on with the chain", patience, has(await query.height()));
    const earliest = await validators.earliest(node);
    expect(earliest).toBeGreaterThan(1n);
    await validators.kill(node, "application");
    await validators.joinByCommand(home, node);
    const newest = await query.height();
    await eventually("it goes on where it was", patience, has(newest));
    expect(await validators.earliest(node)).toBe(earliest);
    expect(await validators.appHash(node, newest)).toBe(await validators.appHash(validators.one(0), newest));
  });

  test("changes nothing that preview would show, and takes all of it back", async () => {
    expect((await stack.preview()).steps).toEqual([]);
    await stack.destroy();
    const totals = await query.totals();
    expect(totals).toMatchObject({ activeLeases: 0n, openOrders: 0n, collateral: 0n, deposits: 0n });
    expect(allTokens(totals) + totals.burnt).toBe(totals.genesisSupply + totals.interestMinted);
    expect(await appHashes()).toHaveLength(1);
  });
});
