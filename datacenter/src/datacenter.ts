import { join } from "node:path";
import {
  type AccountSigner,
  ExchangeQueryClient,
  idle,
  NetworkUnreachable,
  PeerVerifier,
  SigningExchangeClient,
  signerFromMnemonic,
  signerFromPrivateKey,
} from "@dcx/protocol";
import pino, { type Logger } from "pino";
import { readAccountKey } from "./account-key";
import { Agent, type AgentParts } from "./agent";
import { openProvenReads } from "./chain/open-proven-reads";
import { ConfigurationError, type DatacenterConfiguration } from "./configuration";
import { type Home, openHome, openSeal } from "./home/home";
import { AgentLeaf } from "./identity/agent-leaf";
import { DatacenterRoot } from "./identity/root";
import { pricingOf } from "./market/configured-pricing";
import type { Overlay, OverlayOptions } from "./overlay/overlay";
import { startOverlay } from "./overlay/start";
import { openRuntime } from "./runtime/open";
import type { Runtime } from "./runtime/runtime";

export interface DatacenterOptions {
  readonly logger?: Logger;
  /** Ends starting; a datacenter that has started is ended by `close`. */
  readonly signal?: AbortSignal;
  /** In place of the runtime that the configuration asks for. */
  readonly runtime?: Runtime;
  /** In place of the usual overlay. */
  readonly startOverlay?: (options: OverlayOptions) => Promise<Overlay>;
}

/** A datacenter's agent that runs. */
export interface Datacenter {
  /** Its account. */
  readonly address: string;
  readonly agentUrl: string;
  /** host:port */
  readonly tunnelAddress: string;
  /** Resolves once its record on chain is as configured, or it was closed. */
  readonly registered: Promise<void>;
  /** Aborted once it is drained, where it was asked to end then (`dcx datacenter drain --exit`). */
  readonly drained: AbortSignal;
  /** Stops the agent. Workloads go on running, and its next start finds them. */
  close(): Promise<void>;
  /** Resolves when it has been closed. */
  readonly done: Promise<void>;
}

/**
 * Starts a datacenter's agent. Resolves when it listens and begins to register and to follow the chain. Where no
 * endpoint answers it listens all the same, and serves nobody until one does; only on a first start that does not say
 * which chain it is for it waits for one.
 * @throws {ConfigurationError} where a setting can't be used, `WrongChain` where the endpoints are of another chain
 *   than the one that its home folder belongs to
 */
export async function startDatacenter(
  configuration: DatacenterConfiguration,
  options: DatacenterOptions = {},
): Promise<Datacenter> {
  const logger = options.logger ?? pino({ level: configuration.logLevel });
  const signer = await openSigner(configuration);
  const opened: (() => Promise<void>)[] = [];
  const closeOpened = async (): Promise<void> => {
    for (const close of opened.splice(0).reverse())
      await close().catch((err) => logger.warn({ err }, "closing failed"));
  };
  try {
    const home = openHome(configuration.home);
    opened.push(() => home.close());
    const query = await connect(configuration, home, logger, options.signal ?? new AbortController().signal);
    opened.push(async () => query.close());
    const address = signer.address;
    const root = await DatacenterRoot.open(home, query.chainId, address);
    const runtime = options.runtime ?? (await openConfiguredRuntime(configuration, address, logger));
    opened.push(() => runtime.close());
    const { advertise, listen } = configuration;
    const overlay = await (options.startOverlay ?? startOverlay)({
      listen: listen.tunnel,
      tunnels: configuration.tunnels,
      ingress: {
        listen: listen.ingress.host,
        ...(advertise.ingressHost === undefined ? {} : { host: advertise.ingressHost }),
        ...namesOf(configuration, root),
      },
      egress: { exchange: configuration.chain.endpoints, limits: configuration.egress },
      home: join(configuration.home, "overlay"),
      chainId: query.chainId,
      datacenter: address,
      issue: root.issue,
      network: (instance) => runtime.network(instance),
      logger,
    });
    opened.push(() => overlay.close());
    const leaf = await AgentLeaf.create(root, logger);
    opened.push(async () => leaf.close());
    const signing = await SigningExchangeClient.connect(query, signer);
    const proven = openProvenReads(configuration, query, home);
    const parts: AgentParts = {
      configuration,
      home,
      signing,
      ...(proven === undefined ? {} : { proven }),
      verifier: new PeerVerifier(),
      root,
      leaf,
      runtime,
      overlay,
      pricing: pricingOf(configuration, logger.child({ part: "pricing" })),
      logger,
    };
    const agent = await Agent.start(parts);
    opened.push(() => agent.close());
    let finish = (): void => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let closing: Promise<void> | undefined;
    logger.info(
      { address, agentUrl: agent.url, chainId: query.chainId, isolation: runtime.isolation },
      "the datacenter runs",
    );
    return {
      address,
      agentUrl: agent.url,
      tunnelAddress: overlay.address,
      registered: agent.registered,
      drained: agent.drained,
      close: () => {
        closing ??= closeOpened().then(finish);
        return closing;
      },
      done,
    };
  } catch (error) {
    await closeOpened();
    throw error;
  }
}

/** How global connections are reached. */
function namesOf(
  { advertise, ingress, listen }: DatacenterConfiguration,
  root: DatacenterRoot,
): Pick<OverlayOptions["ingress"], "names" | "rawPorts" | "limits"> {
  if (ingress === undefined) return {};
  const { certificates, challengeFolder, connections, connectionsPerAddress, domain, handshakeTimeout } = ingress;
  const { certificateFolder, proofExpiry, rawPorts, recheck, resolvers } = ingress;
  const limits = { connections, connectionsPerAddress, handshake: handshakeTimeout };
  if (domain === undefined) return { limits };
  return {
    rawPorts,
    limits,
    names: {
      domain,
      tls: listen.ingress.tls ?? { host: listen.ingress.host, port: 443 },
      ...(listen.ingress.http === undefined ? {} : { http: listen.ingress.http }),
      ...(advertise.ingressPort === undefined ? {} : { port: advertise.ingressPort }),
      ...(challengeFolder === undefined ? {} : { challenges: challengeFolder }),
      certificates,
      ...(certificateFolder === undefined ? {} : { certificateFolder }),
      issue: root.issueHosts,
      own: { resolvers, recheck, expiry: proofExpiry },
    },
  };
}

/** How long a start asks for a chain that it knows, in milliseconds: it can do without. */
const patience = 2_000;

/** The chain that the folder belongs to, or on the first start the one that answers. */
async function connect(
  { chain }: DatacenterConfiguration,
  home: Home,
  logger: Logger,
  signal: AbortSignal,
): Promise<ExchangeQueryClient> {
  const remembered = home.records.get("chain")?.toString("utf8");
  if (remembered !== undefined && chain.chainId !== undefined && chain.chainId !== remembered) {
    throw new ConfigurationError(
      `home ${home.path} belongs to chain ${remembered}, not to ${chain.chainId}: give each chain a home of its own`,
    );
  }
  const chainId = remembered ?? chain.chainId;
  for (;;) {
    try {
      const known = chainId === undefined ? {} : { chainId, patience };
      const query = await ExchangeQueryClient.connect(chain.endpoints, known);
      home.records.put("chain", Buffer.from(query.chainId));
      return query;
    } catch (error) {
      if (!(error instanceof NetworkUnreachable) || signal.aborted) throw error;
      if (chainId !== undefined) {
        logger.warn({ err: error, chainId }, "the exchange can't be reached; nobody is served until it can");
        return ExchangeQueryClient.open(chain.endpoints, { chainId });
      }
      logger.warn({ err: error }, "the exchange can't be reached; the datacenter waits for it");
      await idle(1_000, signal);
    }
  }
}

/** The account that the configuration's key file holds. @throws {ConfigurationError} */
export async function openSigner({ keyFile }: DatacenterConfiguration): Promise<AccountSigner> {
  const key = readAccountKey(keyFile);
  return await ("privateKey" in key ? signerFromPrivateKey(key.privateKey) : signerFromMnemonic(key.mnemonic));
}

/** The runtime that the configuration asks for, with all of this datacenter's workloads in it. */
export function openConfiguredRuntime(
  { containerSocket, home, imageLayouts, isolation, keepImages }: DatacenterConfiguration,
  datacenter: string,
  logger: Logger,
): Promise<Runtime> {
  return openRuntime({
    isolation,
    home: join(home, "runtime"),
    seal: openSeal(home),
    imageLayouts,
    keepImages,
    ...(containerSocket === undefined ? {} : { containerSocket }),
    datacenter,
    logger,
  });
}
