/** A node in a process of its own, to be killed: node-process <home> <chain id> <address with tokens> */
import pino from "pino";
import { defaultGenesis, startEmbeddedNode } from "../../index";

const [, , home = "", chainId = "", address = ""] = process.argv;

void startEmbeddedNode({
  home,
  genesis: defaultGenesis({
    chainId,
    accounts: [{ address, balance: 1_000_000_000n }],
    parameters: { blockInterval: 10n },
  }),
  rpc: {},
  logger: pino({ level: "warn" }, pino.destination(2)),
}).then((node) => process.stdout.write(`${node.rpcUrl}\n`));
