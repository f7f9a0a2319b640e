/**
 * A node in a process of its own, to be killed: node-process <home> <chain id> <address with tokens> [<point> <count>]
 * With a point it ends itself when it comes there for that time.
 */
import pino from "pino";
import { defaultGenesis, startEmbeddedNode } from "../../index";
import { dieAt } from "./crash-points";

const [, , home = "", chainId = "", address = "", point, count] = process.argv;
if (point !== undefined) dieAt(point, Number(count));

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
