import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Datacenter, parseConfiguration, startDatacenter } from "@dcx/datacenter";
import { defaultGenesis, type EmbeddedNode, startEmbeddedNode } from "@dcx/exchange";
import {
  type AccountSigner,
  AgentClient,
  canonicalManifest,
  type DeploymentId,
  ExchangeQueryClient,
  type Lease,
  type Manifest,
  manifestVersion,
  messages,
  parseRate,
  type QueryDeploymentResponse,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import pino from "pino";
import { DroppableLink } from "./droppable-link";

const { buildImages } = require("../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

const tenantKey = "0a".repeat(32);
const keys = { west: "0b".repeat(32), east: "0c".repeat(32) };
export type Place = keyof typeof keys;
const places = ["west", "east"] as const;
const blockInterval = 200n;

/** A deployment whose `web` in the west asks its `api` in the east, and is asked by everybody. */
export interface TwoTiers {
  readonly id: DeploymentId;
  /** Where `web` answers. */
  readonly address: string;
  readonly leases: Readonly<Record<Place, Lease>>;
}

/** An exchange, a tenant, and a datacenter in each of two places, all in this process, without Pulumi. */
export class TwoDatacenters {
  readonly folder = mkdtempSync(join(tmpdir(), "dcx-two-"));
  readonly datacenters = new Map<Place, Datacenter>();
  readonly links = new Map<Place, DroppableLink>();
  readonly log: Record<string, unknown>[] = [];
  readonly #logger = pino({ level: "debug" }, { write: (line: string) => void this.log.push(JSON.parse(line)) });

  private constructor(
    readonly node: EmbeddedNode,
    readonly query: ExchangeQueryClient,
    readonly signing: SigningExchangeClient,
    readonly tenant: AccountSigner,
    readonly layout: string,
    private readonly nodeFolder: string,
  ) {}

  /** @param parameters of the exchange, in blocks of 200 ms */
  static async start(parameters: { readonly reconfirmationPeriod: bigint }): Promise<TwoDatacenters> {
    const nodeFolder = mkdtempSync(join(tmpdir(), "dcx-two-node-"));
    const { layout } = await buildImages(join(nodeFolder, "images"));
    const tenant = await signerFromPrivateKey(tenantKey);
    const accounts = [{ address: tenant.address, balance: 1_000_000_000n }];
    for (const place of places) {
      accounts.push({ address: (await signerFromPrivateKey(keys[place])).address, balance: 1_000_000_000n });
    }
    const genesis = defaultGenesis({ chainId: "dcx-two-1", accounts, parameters: { blockInterval, ...parameters } });
    const silent = pino({ level: "silent" });
    // What is to happen after some blocks is not to wait for somebody to need one.
    const idleInterval = Number(blockInterval);
    const home = join(nodeFolder, "node");
    const node = await startEmbeddedNode({ home, genesis, rpc: {}, logger: silent, idleInterval });
    const query = await ExchangeQueryClient.connect(node.rpcUrl);
    const signing = await SigningExchangeClient.connect(query, tenant);
    const two = new TwoDatacenters(node, query, signing, tenant, layout, nodeFolder);
    for (const place of places) {
      two.links.set(place, await DroppableLink.to(node.rpcUrl));
      await (await two.begin(place)).registered;
    }
    return two;
  }

  homeOf(place: Place): string {
    return join(this.folder, place);
  }

  /** The configuration of a place's agent. */
  configurationOf(place: Place): Parameters<typeof parseConfiguration>[0] & object {
    const keyFile = join(this.folder, `${place}.json`);
    writeFileSync(keyFile, JSON.stringify({ privateKey: keys[place] }), { mode: 0o600 });
    return {
      chain: { endpoints: [this.links.get(place)?.url ?? this.node.rpcUrl] },
      keyFile,
      home: this.homeOf(place),
      region: `us-${place}`,
      capacity: { cpu: 4, memory: "4Gi", disk: "20Gi" },
      isolation: process.env["DCX_TEST_ISOLATION"] ?? "sandbox",
      imageLayouts: [this.layout],
      trustedTenants: [this.tenant.address],
    };
  }

  /** Starts the agent of a place. */
  async begin(place: Place): Promise<Datacenter> {
    const logger = this.#logger.child({ place });
    const datacenter = await startDatacenter(parseConfiguration(this.configurationOf(place)), { logger });
    this.datacenters.set(place, datacenter);
    return datacenter;
  }

  at(place: Place): Datacenter {
    const datacenter = this.datacenters.get(place);
    if (datacenter === undefined) throw new Error(`there is no datacenter ${place}`);
    return datacenter;
  }

  /** Deploys, and waits until it answers. */
  async deploy(token = 1): Promise<TwoTiers> {
    const manifest = twoTiers();
    const text = canonicalManifest(manifest);
    const version = Buffer.from(manifestVersion(text));
    const { responses } = await this.signing.submit([
      messages.submitDeployment({
        tenant: this.tenant.address,
        infrastructures: places.map(infrastructure),
        waitDuration: 2n,
        version,
        manifestEntries: 4,
        nonce: Buffer.alloc(32, 1),
        clientToken: Buffer.alloc(32, token),
      }),
    ]);
    const [response] = responses;
    if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
    const { id } = response.value;
    const answer = await this.until(id, "two leases", ({ leases }) => leases.length === 2);
    const leases = { west: leaseIn(answer, "west"), east: leaseIn(answer, "east") };
    await using agent = await this.agentOf(leases.west);
    await agent.putManifest(id, version.toString("hex"), { manifest: text, stamps: {} });
    for (let after: string | undefined; ; ) {
      const status = await agent.status(id, after === undefined ? {} : { after, wait: 10_000 });
      after = status.cursor;
      const { address } = status.connections["public"] ?? {};
      const ready = status.workloads["web"]?.instances[0]?.state === "ready";
      if (ready && status.connections["web-to-api"]?.established && address !== undefined)
        return { id, address, leases };
    }
  }

  /** Resolves once the chain shows it. */
  async until(
    id: DeploymentId,
    what: string,
    condition: (answer: QueryDeploymentResponse) => boolean,
    patience = 60_000,
  ): Promise<QueryDeploymentResponse> {
    for await (const { complete } of this.query.blocks(AbortSignal.timeout(patience))) {
      const answer = await this.query.deployment(id);
      if (complete && condition(answer)) return answer;
    }
    throw new Error(`the chain never showed ${what}`);
  }

  /** The agent that holds a lease, asked by the tenant. */
  async agentOf({ datacenter }: Lease): Promise<AgentClient> {
    const [record] = (await this.query.datacenters({ address: datacenter })).datacenters;
    if (record === undefined) throw new Error("no such datacenter");
    const roots = record.roots.map(({ certificate }) => certificate);
    const target = { chainId: this.query.chainId, datacenter, urls: record.agentUrls, roots };
    return new AgentClient(target, { kind: "account", signer: this.tenant });
  }

  async cancel(id: DeploymentId): Promise<void> {
    const incarnation = (await this.query.deployment(id)).deployment?.incarnation ?? 0n;
    await this.signing.submit([messages.cancelDeployment({ tenant: this.tenant.address, id, incarnation })]);
  }

  async close(): Promise<void> {
    for (const link of this.links.values()) link.restore();
    for (const datacenter of this.datacenters.values()) await datacenter.close();
    for (const link of this.links.values()) await link.close();
    this.query.close();
    await this.node.close();
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.nodeFolder, { recursive: true, force: true });
  }
}

export function leaseIn({ leases }: QueryDeploymentResponse, place: Place): Lease {
  const lease = leases.find(({ id }) => id?.infrastructure === place);
  if (lease === undefined) throw new Error(`no lease in the ${place}`);
  return lease;
}

function infrastructure(place: Place) {
  const compute = { cpu: 500n, memory: 256n << 20n, disk: 1n << 30n };
  const price = parseRate("0.40/h", blockInterval).toString();
  const resources = [{ compute, price, collateral: 1_000n, count: 1 }];
  return { name: place, region: `us-${place}`, persist: true, resources };
}

function twoTiers(): Manifest {
  return {
    schema: 1,
    salt: "55".repeat(32),
    workloads: {
      api: { infrastructure: "east", container: { image: "dcx.example/two-tier-api:1.0" }, ports: [9000] },
      web: {
        infrastructure: "west",
        container: { image: "dcx.example/two-tier-web:1.0" },
        ports: [8080],
        healthCheck: { http: "/healthz", interval: 300 },
      },
    },
    connections: {
      "web-to-api": { to: "api", port: 9000, from: { workload: "web" } },
      public: { to: "web", port: 8080, from: { global: true } },
    },
  };
}
