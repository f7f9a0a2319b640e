import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Datacenter, parseConfiguration, startDatacenter } from "@dcx/datacenter";
import { defaultGenesis, type EmbeddedNode, startEmbeddedNode } from "@dcx/exchange";
import { ExchangeQueryClient, signerFromPrivateKey, tenantKeyFromSecret } from "@dcx/protocol";
import pino from "pino";
import type { DeploymentKey } from "../../provider/src/network/driver";
import { fixedEndpoint } from "../../provider/src/network/exchange/endpoint";
import { ExchangeDriver } from "../../provider/src/network/exchange/exchange-driver";
import type { Snapshot } from "../../provider/src/network/snapshot";
import { fileBackend, type Program, Stack } from "../support/stack";
import { type Paid, paidIn } from "./paid";

const { buildImages } = require("../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

const tenantKey = "0a".repeat(32);
const datacenters = [
  { name: "west", key: "0b".repeat(32), address: "dcx1mvlsp4pf7fc48q7vt9p93mq36m09ye5h5r05sy" },
  { name: "east", key: "0c".repeat(32), address: "dcx1dmm5875nd4709xuh7f65k9d46laea9qlt7ze8j" },
] as const;
const balance = 1_000_000_000_000_000n;
/** Blocks each 200 ms; a lease is not lost for ten minutes, however busy the machine is. */
const parameters = { blockInterval: 200n, reconfirmationPeriod: 3000n };

/** What programs may name. */
export const site = {
  addresses: datacenters.map(({ address }) => address),
  isolation: process.env["DCX_TEST_ISOLATION"] ?? "sandbox",
  images: {
    api: "dcx.example/two-tier-api:1.0",
    otherApi: "dcx.example/two-tier-api:1.1",
    /** In each of them. */
    node: "/usr/local/bin/node",
  },
} as const;

/** An exchange with a datacenter in each of two regions, both with everything that a program may ask for. */
export class Site {
  private constructor(
    private readonly folder: string,
    private readonly node: EmbeddedNode,
    private readonly running: readonly Datacenter[],
    readonly query: ExchangeQueryClient,
    private readonly driver: ExchangeDriver,
    readonly tenant: string,
  ) {}

  static async start(): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), "dcx-predictions-"));
    const logger = pino({ level: process.env["DCX_TEST_LOG"] ?? "silent" });
    const { layout } = await buildImages(join(folder, "images"));
    const signer = await signerFromPrivateKey(tenantKey);
    const accounts = [signer, ...datacenters].map(({ address }) => ({ address, balance }));
    const genesis = defaultGenesis({ chainId: "dcx-predictions-1", accounts, parameters });
    const node = await startEmbeddedNode({ home: join(folder, "node"), genesis, rpc: {}, logger });
    const running = await Promise.all(
      datacenters.map(async ({ name, key, address }) => {
        const keyFile = join(folder, `${name}.json`);
        writeFileSync(keyFile, JSON.stringify({ address, privateKey: key }), { mode: 0o600 });
        const configuration = parseConfiguration({
          chain: { endpoints: [node.rpcUrl] },
          keyFile,
          home: join(folder, name),
          name,
          region: `us-${name}`,
          attributes: { tier: "gold" },
          capacity: { cpu: 64, memory: "64Gi", disk: "200Gi", gpu: { count: 64, vendor: "nvidia", model: "h100" } },
          isolation: site.isolation,
          imageLayouts: [layout],
          trustedTenants: [signer.address],
        });
        const datacenter = await startDatacenter(configuration, { logger: logger.child({ datacenter: name }) });
        await datacenter.registered;
        return datacenter;
      }),
    );
    const driver = new ExchangeDriver(
      fixedEndpoint({
        network: "exchange",
        endpoints: [node.rpcUrl],
        chainId: undefined,
        account: async () => ({ signer, tenantKey: tenantKeyFromSecret("not used: nothing is changed by it") }),
        fees: {
          feeGranter: undefined,
          gasPrice: undefined,
          gasAdjustment: undefined,
          gasLimit: undefined,
          maxFee: undefined,
        },
        patience: undefined,
      }),
    );
    const query = await ExchangeQueryClient.connect(node.rpcUrl);
    return new Site(folder, node, running, query, driver, signer.address);
  }

  /** A stack of the project `name`, with a state of its own. */
  async stack(name: string, program: Program): Promise<Stack> {
    const backend = join(this.folder, "backends", name);
    mkdirSync(backend, { recursive: true });
    return Stack.create("predictions", join(this.folder, "programs", name), this.on(program), {
      PULUMI_HOME: join(this.folder, "pulumi"),
      PULUMI_BACKEND_URL: fileBackend(backend),
      PULUMI_CONFIG_PASSPHRASE: "a passphrase of the tests",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    });
  }

  /** The program with the configuration of this exchange. */
  on(program: Program): Program {
    return {
      ...program,
      config: { "dcx:network": { value: this.node.rpcUrl }, "dcx:privateKey": { value: tenantKey } },
    };
  }

  /** A deployment as the chain has it now. */
  snapshot(deployment: DeploymentKey): Promise<Snapshot> {
    return this.driver.snapshot(deployment, AbortSignal.timeout(30_000));
  }

  /** What the tenant has sent in blocks after this height, in order. */
  async sentSince(height: bigint): Promise<readonly Paid[]> {
    const newest = await this.query.height();
    const found: Paid[] = [];
    for (let at = height + 1n; at <= newest; at++) {
      found.push(...(await this.query.blockTransactions(at)).flatMap(paidIn));
    }
    return found;
  }

  async close(): Promise<void> {
    for (const datacenter of this.running) await datacenter.close();
    this.query.close();
    await this.node.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
