import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultGenesis } from "@dcx/exchange";
import { createRegistry, Genesis, messages } from "@dcx/protocol";
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
const dcx = join(root, "cli", "dist", "main.js");

/** The embedded node, as `dcx node start` runs it, with that many milliseconds between blocks. */
export async function startExchangeNode(home: string, interval: number, names: readonly string[]): Promise<Chain> {
  const accounts = await accountsOf(names);
  const genesis = defaultGenesis({
    chainId,
    denomination,
    accounts: accounts.map(({ address }) => ({ address, balance })),
    parameters: { blockInterval: BigInt(interval) },
  });
  const file = join(home, "..", "exchange-genesis.json");
  writeFileSync(file, JSON.stringify(Genesis.toJSON(genesis)));
  return startChain(home, ["--genesis", file, "--port", "0"], accounts);
}

/** The same under a CometBFT of one validator: both processes are the node. */
export async function startDistributedNode(
  cometbft: string,
  home: string,
  interval: number,
  names: readonly string[],
): Promise<Chain> {
  const accounts = await accountsOf(names);
  const genesis = join(home, "..", "distributed-genesis.json");
  const init = ["node", "init", "--home", home, "--cometbft", cometbft, "--json"];
  const { validatorKey } = z
    .object({ validatorKey: z.string() })
    .parse(JSON.parse(await outputOf(process.execPath, [dcx, ...init])));
  await outputOf(process.execPath, [
    dcx,
    ...["genesis", "create", "--chain-id", chainId, "--denomination", denomination, "--out", genesis],
    ...["--validator", `one=${validatorKey}`, "--parameter", `blockInterval=${interval}`],
    ...accounts.flatMap(({ address }) => ["--account", `${address}=${balance / 1_000_000n}`]),
  ]);
  await outputOf(process.execPath, [dcx, ...init, "--genesis", genesis]);
  const [rpcPort, peerPort] = await freePorts(2);
  return startChain(
    home,
    ["--cometbft", cometbft, "--port", String(rpcPort), "--peer-host", "127.0.0.1", "--peer-port", String(peerPort)],
    accounts,
  );
}

function accountsOf(names: readonly string[]): Promise<BenchAccount[]> {
  return Promise.all(names.map((name) => BenchAccount.named(name, "dcx")));
}

async function startChain(home: string, options: readonly string[], accounts: readonly BenchAccount[]): Promise<Chain> {
  const node = Service.start(process.execPath, [dcx, "node", "start", "--home", home, ...options], {
    logFile: `${home}.log`,
    messages: "ipc",
  });
  try {
    const { rpcUrl } = z.object({ rpcUrl: z.string() }).parse(await node.nextMessage());
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
