import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "@cosmjs/proto-signing";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { z } from "zod";
import { freePorts } from "../../support/ports";
import { outputOf, Service, until } from "../processes";
import { BenchAccount } from "./accounts";
import { type AkashDeployment, createDeploymentUrl, MsgCreateDeployment } from "./akash-deployment";
import { type Chain, Rpc } from "./chain";

const chainId = "akash-bench-1";
const denomination = "uakt";
const balance = 1_000_000_000_000n;

const Json = z.record(z.string(), z.json());
const Genesis = z.looseObject({
  app_state: z.looseObject({
    auth: z.looseObject({ accounts: z.array(z.json()) }),
    bank: z.looseObject({ balances: z.array(z.json()), supply: z.array(z.json()) }),
    staking: z.looseObject({ params: Json }),
    mint: z.looseObject({ params: Json }),
    crisis: z.looseObject({ constant_fee: Json }),
  }),
});

/** A single validator of Akash's own, with its defaults but for the block interval and for what it listens on. */
export async function startAkashNode(
  command: string,
  home: string,
  interval: number,
  names: readonly string[],
): Promise<Chain> {
  const accounts = await Promise.all(names.map((name) => BenchAccount.named(name, "akash")));
  await found(command, home, accounts);
  const configuration = join(home, "config", "config.toml");
  const text = readFileSync(configuration, "utf8");
  writeFileSync(configuration, text.replace(/^timeout_commit = .*$/m, `timeout_commit = "${interval}ms"`));

  const [rpcPort, peerPort, proxyPort, grpcPort] = await freePorts(4);
  const rpcUrl = `http://127.0.0.1:${rpcPort}`;
  const node = Service.start(
    command,
    [
      ["start", "--home", home, "--minimum-gas-prices", `0.0025${denomination}`],
      ["--rpc.laddr", `tcp://127.0.0.1:${rpcPort}`, "--p2p.laddr", `tcp://127.0.0.1:${peerPort}`],
      ["--address", `tcp://127.0.0.1:${proxyPort}`, "--rpc.pprof_laddr="],
      ["--grpc.address", `127.0.0.1:${grpcPort}`, "--grpc-web.enable=false"],
    ].flat(),
    { logFile: join(home, "..", "akash.log") },
  );
  try {
    const rpc = new Rpc(rpcUrl);
    await until("the Akash node's second block", 60_000, async () => {
      if (node.hasEnded) {
        throw new Error(`the Akash node ended while starting: ${node.lastWords}`);
      }
      const height = await rpc.height().catch(() => 0);
      return height >= 2 ? height : undefined;
    });
    for (const account of accounts) {
      await rpc.prepare(account);
    }
  } catch (error) {
    await node.stop();
    throw error;
  }
  return {
    node,
    chainId,
    rpcUrl,
    registry: new Registry([
      ["/cosmos.bank.v1beta1.MsgSend", MsgSend],
      [createDeploymentUrl, MsgCreateDeployment],
    ]),
    accounts,
    transfer: (from, to) => ({
      typeUrl: "/cosmos.bank.v1beta1.MsgSend",
      value: { fromAddress: from.address, toAddress: to.address, amount: [{ denom: denomination, amount: "1" }] },
    }),
    deployment: (owner, ordinal) => {
      const value: AkashDeployment = { owner: owner.address, sequence: BigInt(ordinal) + 1n };
      return { typeUrl: createDeploymentUrl, value };
    },
    feeFor: (gas) => ({ gas, amount: [{ denom: denomination, amount: String(gas / 400n + 1n) }] }),
  };
}

/** Makes the chain: a validator, and the accounts with their balances. */
async function found(command: string, home: string, accounts: readonly BenchAccount[]): Promise<void> {
  const akash = (...args: readonly string[]): Promise<string> => outputOf(command, [...args, "--home", home]);
  await akash("init", "bench", "--chain-id", chainId);
  await akash("keys", "add", "validator", "--keyring-backend", "test", "--output", "json");
  const validator = (await akash("keys", "show", "validator", "-a", "--keyring-backend", "test")).trim();
  const file = join(home, "config", "genesis.json");
  const genesis = Genesis.parse(JSON.parse(readFileSync(file, "utf8")));
  const state = genesis.app_state;
  const addresses = [validator, ...accounts.map(({ address }) => address)];
  state.auth.accounts = addresses.map((address, index) => ({
    "@type": "/cosmos.auth.v1beta1.BaseAccount",
    address,
    pub_key: null,
    account_number: String(index),
    sequence: "0",
  }));
  const coins = (amount: bigint) => [{ denom: denomination, amount: amount.toString() }];
  state.bank.balances = addresses.map((address) => ({ address, coins: coins(balance) }));
  state.bank.supply = coins(balance * BigInt(addresses.length));
  state.staking.params["bond_denom"] = denomination;
  state.mint.params["mint_denom"] = denomination;
  state.crisis.constant_fee["denom"] = denomination;
  writeFileSync(file, JSON.stringify(genesis));
  await akash("gentx", "validator", `1000000000${denomination}`, "--chain-id", chainId, "--keyring-backend", "test");
  await akash("collect-gentxs");
}
