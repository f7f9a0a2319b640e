import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  defaultGenesis,
  distributedGenesis,
  initializeEngine,
  installGenesis,
  newestBlock,
  startDistributedNode,
} from "@dcx/exchange";
import { ExchangeQueryClient, signerFromPrivateKey } from "@dcx/protocol";
import pino from "pino";
import { StateDatabase } from "../exchange/src/storage";
import { buildCometbft } from "./support/exchanges";
import { freePorts } from "./support/ports";
import { eventually } from "./support/world";

jest.setTimeout(300_000);

const patience = 120_000;
const last = 6n;

test("validators that are to halt at a block stop with the same state after it, and go on from there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dcx-halt-"));
  const cometbft = await buildCometbft();
  const homes = [join(folder, "first"), join(folder, "second")];
  const identities = await Promise.all(homes.map((home) => initializeEngine(home, cometbft)));
  const { address } = await signerFromPrivateKey("6a".repeat(32));
  const parameters = { blockInterval: 200n };
  const document = distributedGenesis(
    defaultGenesis({ chainId: "dcx-halt-1", accounts: [{ address, balance: 1_000_000_000n }], parameters }),
    identities.map(({ validatorKey }, index) => ({ publicKey: validatorKey, power: 10n, name: `${index}` })),
    new Date(),
  );
  for (const home of homes) installGenesis(home, document);
  const ports = await freePorts(4);
  const start = (haltHeight?: bigint) =>
    Promise.all(
      homes.map((home, index) =>
        startDistributedNode({
          home,
          cometbft,
          rpc: { host: "127.0.0.1", port: ports[index] ?? 0 },
          peers: {
            host: "127.0.0.1",
            port: ports[2 + index] ?? 0,
            persistent: [`${identities[1 - index]?.nodeId}@127.0.0.1:${ports[3 - index]}`],
          },
          haltHeight,
          settings: { "p2p.addr_book_strict": "false", "p2p.allow_duplicate_ip": "true", "p2p.pex": "false" },
          logger: pino({ level: "silent" }),
        }),
      ),
    );
  try {
    const halted = `block ${last} is the last for this version`;
    for (const { done } of await start(last)) await expect(done).rejects.toThrow(halted);
    // However often they are started.
    await expect(start(last)).rejects.toThrow(halted);
    const states = [];
    for (const home of homes) {
      const database = new StateDatabase({ path: join(home, "state"), readOnly: true });
      states.push({
        height: database.last?.height,
        appHash: Buffer.from(database.last?.appHash ?? []).toString("hex"),
      });
      await database.close();
    }
    expect(states[0]?.height).toBe(last);
    expect(states[1]).toEqual(states[0]);

    const nodes = await start();
    try {
      await Promise.all(nodes.map(({ ready }) => ready));
      await eventually("the chain goes on", patience, async () => {
        const [height = "0"] = (await newestBlock(nodes[0]?.rpcUrl ?? "")).split(":");
        return BigInt(height) > last + 2n;
      });
      const query = await ExchangeQueryClient.connect(nodes[1]?.rpcUrl ?? "");
      expect((await query.account(address))?.balance).toBe(1_000_000_000n);
      query.close();
    } finally {
      await Promise.all(nodes.map((node) => node.close()));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
