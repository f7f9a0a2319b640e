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
  type DeploymentStatus,
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
/** What is to happen after some blocks is not to wait for somebody to need one. */
const idleInterval = Number(blockInterval);
const silent = pino({ level: "silent" });

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
    private node: EmbeddedNode,
    readonly query: ExchangeQueryClient,
    readonly signing: SigningExchangeClient,
    readonly tenant: AccountSigner,
    readonly layout: string,
    private readonly nodeFolder: string,
  ) {}

  /** @param parameters of the exchange, in blocks of 200 ms */
  static async start(
    parameters: NonNullable<Parameters<typeof defaultGenesis>[0]["parameters"]>,
  ): Promise<TwoDatacenters> {
    const nodeFolder = mkdtempSync(join(tmpdir(), "dcx-two-node-"));
    const { layout } = await buildImages(join(nodeFolder, "images"));
    const tenant = await signerFromPrivateKey(tenantKey);
    const accounts = [{ address: tenant.address, balance: 1_000_000_000n }];
    for (const place of places) {
      accounts.push({ address: (await signerFromPrivateKey(keys[place])).address, balance: 1_000_000_000n });
    }
    const genesis = defaultGenesis({ chainId: "dcx-two-1", accounts, parameters: { blockInterval, ...parameters } });
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

  /** Ends the exchange's node; `startNode` begins it again, at the same address. */
  async stopNode(): Promise<void> {
    await this.node.close();
  }

  async startNode(): Promise<void> {
    const port = Number(new URL(this.node.rpcUrl).port);
    const home = join(this.nodeFolder, "node");
    this.node = await startEmbeddedNode({ home, rpc: { port }, logger: silent, idleInterval });
  }

  /** @param token a byte that tells deployments apart */
  async submit(manifest: Manifest, infrastructures: readonly Infrastructure[], token: number): Promise<DeploymentId> {
    const { responses } = await this.signing.submit([
      messages.submitDeployment({
        tenant: this.tenant.address,
        infrastructures: [...infrastructures],
        waitDuration: 2n,
        version: Buffer.from(manifestVersion(canonicalManifest(manifest))),
        manifestEntries: Object.keys(manifest.workloads).length + Object.keys(manifest.connections).length,
        nonce: Buffer.alloc(32, 1),
        clientToken: Buffer.alloc(32, token),
      }),
    ]);
    const [response] = responses;
    if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
    return response.value.id;
  }

  /** Hands a manifest to an agent. Returns its version. */
  async deliver(agent: AgentClient, id: DeploymentId, manifest: Manifest): Promise<Uint8Array> {
    const text = canonicalManifest(manifest);
    const version = manifestVersion(text);
    await agent.putManifest(id, Buffer.from(version).toString("hex"), { manifest: text, stamps: {} });
    return version;
  }

  /** Deploys, and waits until it answers. */
  async deploy(token = 1): Promise<TwoTiers> {
    const manifest = twoTiers();
    const id = await this.submit(
      manifest,
      places.map((place) => infrastructure(place)),
      token,
    );
    const answer = await this.until(id, "two leases", ({ leases }) => leases.length === 2);
    const leases = { west: leaseIn(answer, "west"), east: leaseIn(answer, "east") };
    await using agent = await this.agentOf(leases.west);
    await this.deliver(agent, id, manifest);
    const { connections } = await statusUntil(agent, id, ({ workloads, connections }) => {
      const ready = workloads["web"]?.instances[0]?.state === "ready";
      return ready && connections["web-to-api"]?.established === true && connections["public"]?.address !== undefined;
    });
    return { id, address: connections["public"]?.address ?? "", leases };
  }

  /** Resolves once the chain shows it. */
  async until(
    id: DeploymentId,
    what: string,
    condition: (answer: QueryDeploymentResponse) => boolean,
    patience = 120_000,
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

/** What an agent says of a deployment once that is so. */
export async function statusUntil(
  agent: AgentClient,
  id: DeploymentId,
  condition: (status: DeploymentStatus) => boolean,
): Promise<DeploymentStatus> {
  const deadline = Date.now() + 60_000;
  let status = await agent.status(id);
  while (!condition(status)) {
    if (Date.now() > deadline) throw new Error(`it never came to that: ${JSON.stringify(status)}`);
    status = await agent.status(id, { after: status.cursor, wait: 10_000 });
  }
  return status;
}

export function leaseIn({ leases }: QueryDeploymentResponse, place: Place): Lease {
  const lease = leases.find(({ id }) => id?.infrastructure === place);
  if (lease === undefined) throw new Error(`no lease in the ${place}`);
  return lease;
}

type Infrastructure = NonNullable<Parameters<typeof messages.submitDeployment>[0]["infrastructures"]>[number];

/** One unit at a place. @param memory MiB */
export function infrastructure(place: Place, memory = 256n) {
  const compute = { cpu: 500n, memory: memory << 20n, disk: 1n << 30n };
  const price = parseRate("0.40/h", blockInterval).toString();
  const resources = [{ compute, price, collateral: 1_000n, count: 1 }];
  return { name: place, region: `us-${place}`, persist: true, resources };
}

/** `web` in one place asks `api` in the other. */
export function twoTiers(apiImage = "dcx.example/two-tier-api:1.0"): Manifest {
  return {
    schema: 1,
    salt: "55".repeat(32),
    workloads: {
      api: { infrastructure: "east", container: { image: apiImage }, ports: [9000] },
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
