import { join } from "node:path";
import {
  type ClientUrls,
  distributedGenesis,
  initializeEngine,
  installGenesis,
  startDistributedNode,
  startEmbeddedNode,
} from "@dcx/exchange";
import type { Genesis } from "@dcx/protocol";
import type { Logger } from "pino";
import { freePorts } from "./ports";
import { root } from "./root";

const { findOrBuildCometbft } = require(join(root, "tools", "cometbft.cjs")) as {
  findOrBuildCometbft(options: { readonly log: (line: string) => void }): Promise<string>;
};

/** A running exchange, however it is run. */
export interface Exchange {
  /** JSON-RPC of each of its nodes. */
  readonly rpcUrls: readonly [string, ...string[]];
  /** What the first of them serves besides: all there is. */
  readonly clients: ClientUrls;
  /** Resolves after close. */
  readonly done: Promise<void>;
  /** Stops all of it; a start on the same folder and ports goes on with it. */
  close(): Promise<void>;
}

export interface ExchangeOptions {
  readonly home: string;
  readonly genesis: Genesis;
  readonly logger: Logger;
  /** Of the JSON-RPC of each node. Absent: any that are free. */
  readonly ports?: readonly number[];
}

/** Path of the `cometbft` command. */
export function buildCometbft(): Promise<string> {
  return findOrBuildCometbft({ log: (line) => process.stderr.write(`${line}\n`) });
}

const allInterfaces = { rest: {}, grpc: {}, metrics: {} };

/** The ways to run an exchange (design: "Envelope and engines"), by name. */
export const engines: Readonly<Record<string, (options: ExchangeOptions) => Promise<Exchange>>> = {
  "an embedded node": startEmbedded,
  "one validator under CometBFT": (options) => startValidators(1, options),
  "four validators under CometBFT": (options) => startValidators(4, options),
};

async function startEmbedded({ home, genesis, logger, ports }: ExchangeOptions): Promise<Exchange> {
  const node = await startEmbeddedNode({
    home,
    genesis,
    rpc: { port: ports?.[0] ?? 0 },
    clients: allInterfaces,
    logger,
    idleInterval: 500,
  });
  return { rpcUrls: [node.rpcUrl], clients: node.clients, done: node.done, close: () => node.close() };
}

async function startValidators(count: number, options: ExchangeOptions): Promise<Exchange> {
  const { genesis, logger } = options;
  const cometbft = await buildCometbft();
  const names = Array.from({ length: count }, (_, index) => `validator-${index}`);
  const identities = await Promise.all(names.map((name) => initializeEngine(join(options.home, name), cometbft)));
  const rpcPorts = options.ports ?? (await freePorts(count));
  const peerPorts = await freePorts(count);
  if (options.ports === undefined) {
    const validators = identities.map(({ validatorKey }, index) => ({
      publicKey: validatorKey,
      power: 10n,
      name: names[index] ?? "",
    }));
    const document = distributedGenesis(genesis, validators, new Date());
    for (const name of names) installGenesis(join(options.home, name), document);
  }
  const nodes = await Promise.all(
    names.map((name, index) =>
      startDistributedNode({
        home: join(options.home, name),
        cometbft,
        rpc: { host: "127.0.0.1", port: rpcPorts[index] ?? 0 },
        ...(index === 0 ? { clients: allInterfaces } : {}),
        peers: {
          host: "127.0.0.1",
          port: peerPorts[index] ?? 0,
          persistent: identities.flatMap(({ nodeId }, other) =>
            other === index ? [] : [`${nodeId}@127.0.0.1:${peerPorts[other]}`],
          ),
        },
        // All of them on one machine, with one address.
        settings: { "p2p.addr_book_strict": "false", "p2p.allow_duplicate_ip": "true", "p2p.pex": "false" },
        logger,
      }),
    ),
  );
  await Promise.all(nodes.map(({ ready }) => ready));
  const [first, ...others] = nodes.map(({ rpcUrl }) => rpcUrl);
  if (first === undefined) throw new Error("an exchange has at least one validator");
  return {
    rpcUrls: [first, ...others],
    clients: nodes[0]?.clients ?? {},
    done: Promise.all(nodes.map(({ done }) => done)).then(() => undefined),
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}
