import { text } from "node:stream/consumers";
import {
  AgentClient,
  canonicalManifest,
  type DeploymentId,
  type DeploymentStatus,
  type ExchangeQueryClient,
  type Lease,
  LeaseState,
  type Manifest,
  manifestVersion,
  messages,
  parseRate,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import { eventually } from "../support/world";

/** A deployment that runs, with the agents of its holders by the name of the infrastructure. */
export interface Running {
  readonly id: DeploymentId;
  /** `<tenant>/<sequence>` */
  readonly name: string;
  readonly agents: ReadonlyMap<string, AgentClient>;
  close(): Promise<void>;
}

/**
 * Deploys a manifest as an account of its own: an infrastructure for each one that it names, in the region of that name.
 * Resolves when all workloads are ready and all connections are established.
 * @param urlOf URL by which a datacenter's agent is reached from here
 */
export async function deploy(
  query: ExchangeQueryClient,
  privateKey: string,
  manifest: Manifest,
  urlOf: (datacenter: string) => string,
): Promise<Running> {
  const signer = await signerFromPrivateKey(privateKey);
  const tenant = signer.address;
  const signing = await SigningExchangeClient.connect(query, signer);
  const workloads = Object.values(manifest.workloads);
  const places = [...new Set(workloads.map(({ infrastructure }) => infrastructure))];
  const canonical = canonicalManifest(manifest);
  const version = manifestVersion(canonical);
  const { responses } = await signing.submit([
    messages.submitDeployment({
      tenant,
      infrastructures: places.map((name) => ({
        name,
        region: name,
        resources: [
          {
            compute: { cpu: 250n, memory: 128n << 20n, disk: 64n << 20n },
            price: parseRate("0.40/h", 200n).toString(),
            collateral: 1_000n,
            count: workloads.filter(({ infrastructure }) => infrastructure === name).length,
          },
        ],
      })),
      waitDuration: 2n,
      version: Buffer.from(version),
      manifestEntries: workloads.length + Object.keys(manifest.connections).length,
      nonce: Buffer.alloc(32, 1),
      clientToken: Buffer.alloc(32, 2),
    }),
  ]);
  const [response] = responses;
  if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
  const { id } = response.value;
  const agents = new Map<string, AgentClient>();
  for (const place of places) {
    const lease = await eventually(`a lease in ${place}`, 120_000, async () =>
      (await query.deployment(id)).leases.find(
        (each) => each.state === LeaseState.ACTIVE && each.id?.infrastructure === place,
      ),
    );
    agents.set(place, await agentOf(query, lease, urlOf(lease.datacenter), signer));
  }
  for (const agent of agents.values()) {
    await agent.putManifest(id, Buffer.from(version).toString("hex"), { manifest: canonical, stamps: {} });
  }
  for (const [place, agent] of agents) {
    const wanted = workloads.filter(({ infrastructure }) => infrastructure === place).length;
    let status: DeploymentStatus | undefined;
    await eventually(`that all of ${place} is ready`, 120_000, async () => {
      status = await agent.status(id);
      const ready = Object.values(status.workloads).filter(({ instances }) => instances[0]?.state === "ready");
      const connected = Object.values(status.connections).every(({ established }) => established);
      return ready.length === wanted && connected;
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(status)}`);
    });
  }
  const close = async () => {
    for (const agent of agents.values()) await agent.close();
  };
  return { id, name: `${tenant}/${id.sequence}`, agents, close };
}

async function agentOf(
  query: ExchangeQueryClient,
  { datacenter }: Lease,
  url: string,
  signer: Awaited<ReturnType<typeof signerFromPrivateKey>>,
): Promise<AgentClient> {
  const record = (await query.datacenters({ address: datacenter })).datacenters[0];
  if (record === undefined) throw new Error(`${datacenter} is not registered`);
  const roots = record.roots.map(({ certificate }) => certificate);
  return new AgentClient({ chainId: query.chainId, datacenter, urls: [url], roots }, { kind: "account", signer });
}

/** Runs a command in a workload, as its tenant may. Resolves to what it printed. */
export async function execute(
  { agents, id }: Running,
  place: string,
  workload: string,
  command: readonly string[],
): Promise<string> {
  const execution = await agents.get(place)?.exec(id, workload, { command: [...command] });
  if (execution === undefined) throw new Error(`nothing runs in ${place}`);
  execution.stdin.end();
  const [printed, complaint] = await Promise.all([text(execution.stdout), text(execution.stderr)]);
  if ((await execution.exited) !== 0) throw new Error(complaint);
  return printed;
}
