import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defaultGenesis } from "@dcx/exchange";
import {
  agentNodeFlags,
  type EmbeddedDatacenter,
  type EmbeddedNetwork,
  type EmbeddedPaths,
  Genesis,
  readEmbeddedNetwork,
  readHistory,
} from "@dcx/protocol";
import { z } from "zod";
import { endProcess, startDetached } from "../processes/detached";
import { isRunning } from "../processes/identity";
import { version } from "../version";
import { writeJson } from "./files";
import { readOrCreateKey } from "./keys";
import { withNetworkLock } from "./lock";
import {
  type DatacenterPlan,
  datacenterConfiguration,
  datacenterPlans,
  embeddedDefaults,
  embeddedParameters,
  type IsolationChoice,
  newChainId,
} from "./plan";

/** Milliseconds that a process of the network may take to be ready, or to end when asked. */
const startTimeout = 60_000;
const stopGrace = 15_000;

export interface StartOptions {
  readonly isolation: IsolationChoice;
  /** Milliseconds; of a network that is there already it stays as it is. */
  readonly blockInterval: number;
  /** Domain of global connections' host names. Absent: none. */
  readonly ingressDomain?: string;
  /** Address of the name server that is asked who owns a host name. Absent: the machine's own. */
  readonly ingressResolver?: string;
  readonly progress: (message: string) => void;
}

export interface NetworkStatus {
  /** "absent": none was started, or it was reset. */
  readonly state: "running" | "degraded" | "stopped" | "absent";
  readonly network: EmbeddedNetwork | undefined;
  /** By process: "node" and the datacenters' names. */
  readonly processes: Readonly<Record<string, "running" | "stopped">>;
}

/** What to call once all that was started is on record. */
interface Starting extends StartOptions {
  readonly releases: (() => void)[];
}

const NodeReady = z.object({ rpcUrl: z.string(), chainId: z.string() });
const DatacenterReady = z.object({ address: z.string(), agentUrl: z.string() });

/**
 * Starts what does not run of the user's embedded network, making a new one (keys, genesis with a random chain id,
 * two datacenters) where there is none. What runs already is left alone, so doing it twice does nothing.
 */
export async function startNetwork(paths: EmbeddedPaths, options: StartOptions): Promise<EmbeddedNetwork> {
  return withNetworkLock(paths.home, async () => {
    const existing = readEmbeddedNetwork(paths);
    if (existing !== undefined && statusOf(existing).state === "running") {
      return existing;
    }
    const plans = datacenterPlans(paths);
    const tenant = await readOrCreateKey(paths.tenantKey, embeddedDefaults.addressPrefix);
    const keys = await Promise.all(plans.map((plan) => readOrCreateKey(plan.keyFile, embeddedDefaults.addressPrefix)));
    mkdirSync(paths.images, { recursive: true });

    const releases: (() => void)[] = [];
    const node = await startNode(paths, existing, { ...options, releases }, [
      { address: tenant.address, balance: embeddedDefaults.tenantBalance },
      ...keys.map(({ address }) => ({ address, balance: embeddedDefaults.datacenterBalance })),
    ]);
    const datacenters = await Promise.all(
      plans.map((plan) =>
        startDatacenterOf(
          plan,
          existing,
          { ...options, releases },
          {
            rpcUrl: node.rpcUrl,
            tenant: tenant.address,
            isolation: options.isolation,
            images: paths.images,
            ...(options.ingressDomain === undefined ? {} : { ingressDomain: options.ingressDomain }),
            ...(options.ingressResolver === undefined ? {} : { ingressResolver: options.ingressResolver }),
          },
        ),
      ),
    );
    const network: EmbeddedNetwork = {
      schema: 1,
      version,
      chainId: node.chainId,
      rpcUrl: node.rpcUrl,
      node: node.record,
      datacenters,
    };
    writeJson(paths.descriptor, network);
    for (const release of releases) release();
    return network;
  });
}

/** Ends the network's processes and workloads, and keeps all state: the next start continues where this ends. */
export async function stopNetwork(paths: EmbeddedPaths, progress: (message: string) => void): Promise<NetworkStatus> {
  return withNetworkLock(paths.home, async () => {
    const network = readEmbeddedNetwork(paths);
    if (network !== undefined) {
      await stopProcesses(network, progress);
      await removeWorkloads(paths, "keep", progress);
    }
    return networkStatus(paths);
  });
}

/**
 * Ends the network and removes it with everything on it: chain, keys, workloads, volumes. Its chain id is
 * remembered, so that stacks which still name it find their resources gone instead of an unknown chain.
 */
export async function resetNetwork(paths: EmbeddedPaths, progress: (message: string) => void): Promise<void> {
  await withNetworkLock(paths.home, async () => {
    const network = readEmbeddedNetwork(paths);
    if (network === undefined) {
      return;
    }
    await stopProcesses(network, progress);
    await removeWorkloads(paths, "remove", progress);
    const history = readHistory(paths);
    writeJson(paths.history, { schema: 1, reset: [...new Set([...history.reset, network.chainId])] });
    progress("removing its files");
    for (const folder of ["genesis.json", "node", "datacenters", "keys", "logs"]) {
      rmSync(join(paths.home, folder), { recursive: true, force: true });
    }
    rmSync(paths.descriptor, { force: true });
  });
}

export function networkStatus(paths: EmbeddedPaths): NetworkStatus {
  const network = readEmbeddedNetwork(paths);
  return network === undefined ? { state: "absent", network, processes: {} } : statusOf(network);
}

function statusOf(network: EmbeddedNetwork): NetworkStatus {
  const processes = Object.fromEntries(
    [{ name: "node", process: network.node }, ...network.datacenters].map(
      ({ name, process }) => [name, isRunning(process) ? "running" : "stopped"] as const,
    ),
  );
  const running = Object.values(processes).filter((state) => state === "running").length;
  const all = Object.keys(processes).length;
  return { state: running === all ? "running" : running === 0 ? "stopped" : "degraded", network, processes };
}

async function startNode(
  paths: EmbeddedPaths,
  existing: EmbeddedNetwork | undefined,
  { progress, releases, blockInterval }: Starting,
  accounts: readonly { address: string; balance: bigint }[],
): Promise<{ record: EmbeddedNetwork["node"]; rpcUrl: string; chainId: string }> {
  if (existing !== undefined && isRunning(existing.node)) {
    return { record: existing.node, rpcUrl: existing.rpcUrl, chainId: existing.chainId };
  }
  const home = join(paths.home, "node");
  const genesisFile = join(paths.home, "genesis.json");
  if (!existsSync(genesisFile)) {
    progress("making a new exchange");
    const genesis = defaultGenesis({
      chainId: newChainId(),
      denomination: embeddedDefaults.denomination,
      addressPrefix: embeddedDefaults.addressPrefix,
      accounts,
      parameters: embeddedParameters(blockInterval),
    });
    writeJson(genesisFile, Genesis.toJSON(genesis));
  }
  progress("starting the exchange's node");
  // The port of the last time, so that what is configured with this address goes on working.
  const port = existing === undefined ? "0" : new URL(existing.rpcUrl).port;
  const started = await startDetached(
    {
      arguments: ["node", "start", "--home", home, "--genesis", genesisFile, "--port", port],
      logFile: join(paths.logs, "node.log"),
      title: "the exchange's node",
      timeout: startTimeout,
    },
    (message) => NodeReady.parse(message),
  );
  releases.push(started.release);
  return { record: started.record, ...started.ready };
}

async function startDatacenterOf(
  plan: DatacenterPlan,
  existing: EmbeddedNetwork | undefined,
  { progress, releases }: Starting,
  network: Parameters<typeof datacenterConfiguration>[1],
): Promise<EmbeddedDatacenter> {
  const before = existing?.datacenters.find(({ name }) => name === plan.name);
  if (before !== undefined && isRunning(before.process)) {
    return before;
  }
  progress(`starting datacenter ${plan.name} in ${plan.region}`);
  writeJson(plan.configurationFile, datacenterConfiguration(plan, network));
  const started = await startDetached(
    {
      arguments: ["datacenter", "start", "--config", plan.configurationFile],
      nodeFlags: agentNodeFlags,
      logFile: plan.logFile,
      title: `datacenter ${plan.name}`,
      timeout: startTimeout,
    },
    (message) => DatacenterReady.parse(message),
  );
  releases.push(started.release);
  return { name: plan.name, region: plan.region, address: started.ready.address, process: started.record };
}

async function stopProcesses(network: EmbeddedNetwork, progress: (message: string) => void): Promise<void> {
  progress("stopping the datacenters");
  await Promise.all(network.datacenters.map(({ process }) => endProcess(process, stopGrace)));
  progress("stopping the exchange's node");
  await endProcess(network.node, stopGrace);
}

/** Agents leave workloads running when they end, so that a restart loses none; a network that is stopped must not. */
async function removeWorkloads(
  paths: EmbeddedPaths,
  volumes: "keep" | "remove",
  progress: (message: string) => void,
): Promise<void> {
  const { purgeDatacenter, readDatacenterConfiguration } = await import("@dcx/datacenter");
  const { pino } = await import("pino");
  progress("removing workloads");
  for (const { configurationFile, logFile } of datacenterPlans(paths)) {
    if (existsSync(configurationFile)) {
      const configuration = readDatacenterConfiguration(readFileSync(configurationFile, "utf8"), configurationFile);
      await purgeDatacenter(configuration, { volumes, logger: pino(pino.destination({ dest: logFile, sync: true })) });
    }
  }
}
