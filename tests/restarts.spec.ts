import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { purgeDatacenter, readDatacenterConfiguration } from "@dcx/datacenter";
import { defaultGenesis, type EmbeddedNode, startEmbeddedNode } from "@dcx/exchange";
import {
  type AccountSigner,
  AgentClient,
  canonicalManifest,
  type DeploymentId,
  type DeploymentStatus,
  deploymentKey,
  ExchangeQueryClient,
  LeaseState,
  type Manifest,
  manifestVersion,
  messages,
  parseRate,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import Docker from "dockerode";
import pino from "pino";
import { listeningPorts } from "./support/footprint";
import { dcxCommand, eventually } from "./support/world";

const { buildImages } = require("../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

/** DCX_TEST_KILLS=100 for a long run. */
const kills = Number(process.env["DCX_TEST_KILLS"] ?? 10);
const patience = 120_000;
const logger = pino({ level: "silent" });

jest.setTimeout(600_000 + kills * 10_000);

const socket = process.env["DCX_TEST_CONTAINER_SOCKET"];
const worlds = [
  { isolation: process.getuid?.() === 0 ? "sandbox" : "none", describe },
  { isolation: "container", describe: socket === undefined ? describe.skip : describe },
];

for (const { isolation, describe } of worlds)
  describe(`an agent that is killed again and again, isolation ${isolation}`, () => {
    const engine = new Docker({ socketPath: socket ?? "" });
    let folder: string;
    let configurationFile: string;
    let node: EmbeddedNode;
    let query: ExchangeQueryClient;
    let signing: SigningExchangeClient;
    let tenant: AccountSigner;
    let datacenter: string;
    let agent: ChildProcess | undefined;
    let client: AgentClient;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "dcx-restarts-"));
      const { layout } = await buildImages(join(folder, "images"));
      tenant = await signerFromPrivateKey("0a".repeat(32));
      const privateKey = "0b".repeat(32);
      datacenter = (await signerFromPrivateKey(privateKey)).address;
      const keyFile = join(folder, "key.json");
      writeFileSync(keyFile, JSON.stringify({ privateKey }), { mode: 0o600 });
      const accounts = [tenant.address, datacenter].map((address) => ({ address, balance: 1_000_000_000n }));
      // Long enough for a restart on a machine that is busy.
      const parameters = { blockInterval: 200n, reconfirmationPeriod: 300n };
      const genesis = defaultGenesis({ chainId: "dcx-restarts-1", accounts, parameters });
      node = await startEmbeddedNode({ home: join(folder, "node"), genesis, rpc: {}, logger });
      query = await ExchangeQueryClient.connect(node.rpcUrl);
      signing = await SigningExchangeClient.connect(query, tenant);
      configurationFile = join(folder, "datacenter.json");
      const configuration = {
        chain: { endpoints: [node.rpcUrl], chainId: query.chainId },
        keyFile,
        home: join(folder, "datacenter"),
        name: "restless",
        region: "us-west",
        capacity: { cpu: 8, memory: "8Gi", disk: "40Gi" },
        isolation,
        ...(isolation === "container" ? { containerSocket: socket } : {}),
        imageLayouts: [layout],
        trustedTenants: [tenant.address],
      };
      writeFileSync(configurationFile, JSON.stringify(configuration));
      start();
      const record = await eventually("the datacenter registers", patience, async () => {
        const { datacenters } = await query.datacenters({ address: datacenter });
        return datacenters[0];
      });
      expect(record.attributes).toContainEqual({ key: "name", value: "restless" });
      const roots = record.roots.map(({ certificate }) => certificate);
      const target = { chainId: query.chainId, datacenter, urls: record.agentUrls, roots };
      client = new AgentClient(target, { kind: "account", signer: tenant });
    });

    afterAll(async () => {
      await client?.close();
      await kill();
      const configuration = readDatacenterConfiguration(readFileSync(configurationFile, "utf8"));
      await purgeDatacenter(configuration, { volumes: "remove", logger });
      query?.close();
      await node?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    function start(): void {
      agent = spawn(dcxCommand, ["datacenter", "start", "--config", configurationFile], { stdio: "ignore" });
    }

    async function kill(): Promise<void> {
      if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
      const gone = once(agent, "exit");
      agent.kill("SIGKILL");
      await gone;
    }

    function manifestOf(greeting: string): Manifest {
      return {
        schema: 1,
        salt: "66".repeat(32),
        workloads: {
          api: {
            infrastructure: "west",
            container: { image: "dcx.example/two-tier-api:1.0" },
            environment: { GREETING: greeting },
            ports: [9000],
            volumes: { data: { path: "/data", size: String(1 << 20) } },
          },
        },
        connections: { public: { to: "api", port: 9000, from: { global: true } } },
      };
    }

    async function submit(token: number): Promise<DeploymentId> {
      const compute = { cpu: 250n, memory: 128n << 20n, disk: 256n << 20n };
      const price = parseRate("0.40/h", 200n).toString();
      const { responses } = await signing.submit([
        messages.submitDeployment({
          tenant: tenant.address,
          infrastructures: [
            { name: "west", persist: true, resources: [{ compute, price, collateral: 1_000n, count: 1 }] },
          ],
          waitDuration: 2n,
          version: Buffer.from(manifestVersion(canonicalManifest(manifestOf(`${token}`)))),
          manifestEntries: 2,
          nonce: Buffer.alloc(32, 1),
          clientToken: Buffer.alloc(32, token),
        }),
      ]);
      const [response] = responses;
      if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
      return response.value.id;
    }

    /** As a tenant does: again until the datacenter has it. */
    async function deliver(id: DeploymentId, token: number): Promise<void> {
      const text = canonicalManifest(manifestOf(`${token}`));
      const version = Buffer.from(manifestVersion(text)).toString("hex");
      await eventually(`the manifest of ${token} is delivered`, patience, async () => {
        await client.putManifest(id, version, { manifest: text, stamps: {} });
        return true;
      });
    }

    async function ready(id: DeploymentId): Promise<DeploymentStatus> {
      return eventually(`${deploymentKey(id)} is ready`, patience, async () => {
        const status = await client.status(id);
        if (status.workloads["api"]?.instances[0]?.state === "ready") return status;
        throw new Error(JSON.stringify(status.workloads));
      });
    }

    async function cancel(id: DeploymentId): Promise<void> {
      const incarnation = (await query.deployment(id)).deployment?.incarnation ?? 0n;
      await signing.submit([messages.cancelDeployment({ tenant: tenant.address, id, incarnation })]);
    }

    /** The datacenter's instances, each as often as it is there. */
    async function instances(): Promise<readonly string[]> {
      if (isolation !== "container") return supervisors();
      const filters = { label: [`dcx.datacenter=${datacenter}`] };
      return (await engine.listContainers({ all: true, filters })).map(({ Labels }) => Labels["dcx.id"] ?? "");
    }

    /** What runs of the datacenter beside its agent: the processes that name its folder. */
    function supervisors(): readonly string[] {
      return readdirSync("/proc").flatMap((pid) => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
          const instance = command.find((word) => word.startsWith(join(folder, "datacenter", "runtime")));
          return command.some((word) => /supervisor\.[jt]s$/.test(word)) && instance !== undefined ? [instance] : [];
        } catch {
          return [];
        }
      });
    }

    function filesIn(name: "instances" | "volumes"): readonly string[] {
      const runtime = join(folder, "datacenter", "runtime");
      return readdirSync(runtime, { recursive: true, encoding: "utf8" }).filter((path) =>
        new RegExp(`^[a-z]+/${name}/[^/]+$`).test(path),
      );
    }

    it("loses and doubles no workload, and leaks no port, no volume, no mount and no file", async () => {
      const stable = await submit(1);
      await deliver(stable, 1);
      const before = await ready(stable);
      const { address } = before.connections["public"] ?? {};
      const container = before.workloads["api"]?.instances[0]?.containerId;
      const ports = listeningPorts(agent?.pid);

      const present = new Map<number, DeploymentId>();
      for (let round = 0; round < kills; round++) {
        // One comes and one goes while the agent is killed somewhere in between.
        const token = 10 + round;
        const change = (async () => {
          present.set(token, await submit(token));
          const [oldest] = present;
          if (oldest !== undefined && present.size > 2) {
            present.delete(oldest[0]);
            await cancel(oldest[1]);
          }
        })();
        const delivered = change.then(async () => {
          const id = present.get(token);
          if (id !== undefined) await deliver(id, token);
        });
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 4_000));
        await kill();
        start();
        await delivered;
      }

      for (const id of present.values()) await ready(id);
      const after = await ready(stable);
      expect(after.workloads["api"]?.instances).toMatchObject([{ containerId: container, restarts: 0 }]);
      expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "1" });
      await eventually(
        "only what is leased runs",
        patience,
        async () => (await instances()).length === present.size + 1,
      );
      expect(new Set(await instances()).size).toBe(present.size + 1);
      if (isolation !== "container") expect(filesIn("instances")).toHaveLength(present.size + 1);
      expect(filesIn("volumes")).toHaveLength(present.size + 1);
      // The agent's, the tunnels', and one for each global connection.
      expect(listeningPorts(agent?.pid).length).toBe(ports.length + present.size);
      expect((await query.leases({ state: LeaseState.BROKEN })).leases).toEqual([]);

      for (const id of [...present.values(), stable]) await cancel(id);
      await eventually("nothing runs any more", patience, async () => (await instances()).length === 0);
      await eventually(
        "no file is left",
        patience,
        async () => [...filesIn("instances"), ...filesIn("volumes")].length === 0,
      );
      expect(readFileSync("/proc/mounts", "utf8")).not.toContain(folder);
      const loops = readdirSync("/sys/block").map((name) => join("/sys/block", name, "loop", "backing_file"));
      const files = loops.flatMap((file) => (existsSync(file) ? [readFileSync(file, "utf8")] : []));
      expect(files.filter((file) => file.includes(folder))).toEqual([]);
      await eventually("no port is left", patience, async () => listeningPorts(agent?.pid).length === ports.length - 1);
      const totals = await query.totals();
      expect([totals.activeLeases, totals.openOrders, totals.collateral, totals.deposits]).toEqual([0n, 0n, 0n, 0n]);
    });
  });
