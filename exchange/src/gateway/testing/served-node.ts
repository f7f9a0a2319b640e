import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AccountSigner,
  ExchangeQueryClient,
  messages,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import pino from "pino";
import { defaultGenesis } from "../../application/default-genesis";
import { type EmbeddedNode, startEmbeddedNode } from "../../node/embedded-node";
import type { ClientInterfaces } from "../serve-clients";

export interface ServedNode {
  readonly node: EmbeddedNode;
  readonly home: string;
  readonly tenant: AccountSigner;
  readonly query: ExchangeQueryClient;
  readonly client: SigningExchangeClient;
  close(): Promise<void>;
}

/** An embedded node with one account, on chain `dcx-served`, that serves what is asked for. */
export async function startServedNode(
  clients: ClientInterfaces,
  logger = pino({ level: "silent" }),
): Promise<ServedNode> {
  const home = mkdtempSync(join(tmpdir(), "dcx-served-"));
  const tenant = await signerFromPrivateKey("11".repeat(32));
  const genesis = defaultGenesis({
    chainId: "dcx-served",
    accounts: [{ address: tenant.address, balance: 1_000_000_000n }],
    parameters: { blockInterval: 100n },
  });
  const node = await startEmbeddedNode({ home, genesis, rpc: {}, clients, logger, idleInterval: 500 });
  const query = await ExchangeQueryClient.connect(node.rpcUrl, { pollInterval: 50 });
  const client = await SigningExchangeClient.connect(query, tenant);
  const close = async () => {
    query.close();
    await node.close();
    rmSync(home, { recursive: true, force: true });
  };
  return { node, home, tenant, query, client, close };
}

/** A deployment of one infrastructure; `token` (a byte) tells them apart. */
export function smallDeployment(tenant: string, token: number) {
  return messages.submitDeployment({
    tenant,
    infrastructures: [
      {
        name: "west",
        region: "us-west",
        resources: [{ compute: { cpu: 500n, memory: 1n << 28n, disk: 1n << 30n }, price: "1000000", count: 1 }],
      },
    ],
    waitDuration: 2n,
    version: new Uint8Array(32).fill(7),
    manifestEntries: 1,
    nonce: new Uint8Array(32).fill(8),
    clientToken: new Uint8Array(32).fill(token),
  });
}
