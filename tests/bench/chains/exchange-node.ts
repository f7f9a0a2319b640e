import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultGenesis } from "@dcx/exchange";
import { createRegistry, Genesis, messages, type Parameters } from "@dcx/protocol";
import { z } from "zod";
import { freePorts } from "../../support/ports";
import { root } from "../../support/root";
import { outputOf, Service } from "../processes";
import { BenchAccount } from "./accounts";
import { type Chain, Rpc } from "./chain";

const chainId = "dcx-bench-1";
const denomination = "udcx";
const scale = 10n ** 18n;
/** Micro-units: a million tokens. */
const balance = 1_000_000_000_000n;
const Identity = z.object({ nodeId: z.string(), validatorKey: z.string() });
const initOptions = ["--no-password", "--json"];
const dcx = join(root, "cli", "dist", "main.js");

/** The embedded node, as `dcx node start` runs it, with that many milliseconds between blocks. */
export async function startExchangeNode(
  home: string,
  interval: number,
  names: readonly string[],
  parameters: Partial<Parameters> = {},
): Promise<Chain> {
  const accounts = await accountsOf(names);
  const genesis = defaultGenesis({
    chainId,
    denomination,
    accounts: accounts.map(({ address }) => ({ address, balance })),
    parameters: { blockInterval: BigInt(interval), ...parameters },
  });
  const file = join(home, "..", "exchange-genesis.json");
  writeFileSync(file, JSON.stringify(Genesis.toJSON(genesis)));
  return startChain(home, ["--genesis", file, "--port", "0"], accounts);
}

/** The embedded node on a state of height 0 that lies in its folder already. As `startAgain`. */
export async function startOnState(home: string, genesis: Genesis): ReturnType<typeof startAgain> {
  const file = join(home, "..", "exchange-genesis.json");
  writeFileSync(file, JSON.stringify(Genesis.toJSON(genesis)));
  const node = startNode(home, ["--genesis", file, "--port", "0"]);
  return { node, rpcUrl: await rpcUrlOf(node) };
}

/** A node that ran on this folder before. Resolves once it answers, with the URL of its JSON-RPC. */
export async function startAgain(home: string): Promise<{ readonly node: Service; readonly rpcUrl: string }> {
  const node = startNode(home, ["--port", "0"]);
  return { node, rpcUrl: await rpcUrlOf(node) };
}

/**
 * The same under CometBFT, with so many validators on this machine: a chain each, which is the same, by the RPC of that
 * validator. Both processes of one are its node.
 */
export async function startValidators(
  count: number,
  cometbft: string,
  folder: string,
  interval: number,
  names: readonly string[],
): Promise<readonly Chain[]> {
  const accounts = await accountsOf(names);
  mkdirSync(folder, { recursive: true });
  const genesis = join(folder, "genesis.json");
  const homes = Array.from({ length: count }, (_, index) => join(folder, `validator-${index}`));
  const init = (home: string, ...more: readonly string[]) =>
    outputOf(process.execPath, [
      dcx,
      ...["node", "init", "--home", home, "--cometbft", cometbft],
      ...initOptions,
      ...more,
    ]);
  const identities = await Promise.all(homes.map(async (home) => Identity.parse(JSON.parse(await init(home)))));
  await outputOf(process.execPath, [
    dcx,
    ...["genesis", "create", "--chain-id", chainId, "--denomination", denomination, "--out", genesis],
    ...["--parameter", `blockInterval=${interval}`],
    ...identities.flatMap(({ validatorKey }, index) => ["--validator", `validator-${index}=${validatorKey}`]),
    ...accounts.flatMap(({ address }) => ["--account", `${address}=${balance / 1_000_000n}`]),
  ]);
  await Promise.all(homes.map((home) => init(home, "--genesis", genesis)));
  const ports = await freePorts(2 * count);
  const [rpcPorts, peerPorts] = [ports.slice(0, count), ports.slice(count)];
  // All on one machine, with one address.
  const settings = ["p2p.addr_book_strict=false", "p2p.allow_duplicate_ip=true", "p2p.pex=false"];
  return Promise.all(
    homes.map((home, index) =>
      startChain(
        home,
        [
          ...["--cometbft", cometbft, "--port", String(rpcPorts[index])],
          ...["--peer-host", "127.0.0.1", "--peer-port", String(peerPorts[index])],
          ...identities.flatMap(({ nodeId }, other) =>
            other === index ? [] : ["--peer", `${nodeId}@127.0.0.1:${peerPorts[other]}`],
          ),
          ...settings.flatMap((setting) => ["--engine-setting", setting]),
        ],
        accounts,
      ),
    ),
  );
}

function accountsOf(names: readonly string[]): Promise<BenchAccount[]> {
  return Promise.all(names.map((name) => BenchAccount.named(name, "dcx")));
}

function startNode(home: string, options: readonly string[]): Service {
  return Service.start(process.execPath, [dcx, "node", "start", "--home", home, ...options], {
    logFile: `${home}.log`,
    messages: "ipc",
  });
}

async function rpcUrlOf(node: Service): Promise<string> {
  return z.object({ rpcUrl: z.string() }).parse(await node.nextMessage()).rpcUrl;
}

async function startChain(home: string, options: readonly string[], accounts: readonly BenchAccount[]): Promise<Chain> {
  const node = startNode(home, options);
  try {
    const rpcUrl = await rpcUrlOf(node);
    const rpc = new Rpc(rpcUrl);
    for (const account of accounts) {
      await rpc.prepare(account);
    }
    const registry = await createRegistry();
    return {
      node,
      chainId,
      rpcUrl,
      registry,
      accounts,
      transfer: (from, to) => messages.send(from.address, to.address, 1n, denomination),
      deployment: (owner, ordinal) => {
        const token = createHash("sha256").update(`${owner.address}/${ordinal}`).digest();
        return messages.submitDeployment({
          tenant: owner.address,
          infrastructures: [
            {
              name: "west",
              region: "us-west",
              resources: [
                {
                  compute: { cpu: 100n, memory: 2n ** 27n, disk: 2n ** 30n },
                  price: (10n * scale).toString(),
                  collateral: 0n,
                  count: 1,
                },
              ],
            },
          ],
          version: token,
          manifestEntries: 1,
          nonce: token,
          clientToken: token,
        });
      },
      feeFor: (gas) => ({ gas, amount: [{ denom: denomination, amount: String(gas / 1_000n + 1n) }] }),
    };
  } catch (error) {
    await node.stop();
    throw error;
  }
}
