import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ResponseFinalizeBlock } from "cosmjs-types/tendermint/abci/types";
import { Block } from "cosmjs-types/tendermint/types/block";
import { Commit } from "cosmjs-types/tendermint/types/types";
import { WebSocket, WebSocketServer } from "ws";
import { defaultGenesis } from "../../application/default-genesis";
import { SignedChain } from "../../application/testing/signed-chain";
import { BlockStore } from "../block-store";
import { loadOrCreateValidatorKey } from "../consensus/validator-key";
import { ChainEvents } from "../events";
import { loadOrCreateGenesis } from "../genesis-file";
import { Mempool } from "../mempool/mempool";
import { serveSocket } from "./subscriptions";

const mebibyte = 1024 * 1024;

test("a WebSocket's client that does not read is let go before it costs much memory", async () => {
  const home = mkdtempSync(join(tmpdir(), "dcx-socket-"));
  const { application } = new SignedChain(join(home, "state"), {});
  const store = new BlockStore(join(home, "blocks"), 10n);
  const events = new ChainEvents();
  const view = {
    application,
    store,
    mempool: new Mempool(application, { transactions: 1, bytes: 1 }, () => {}),
    events,
    validator: loadOrCreateValidatorKey(join(home, "validator.json")),
    genesis: loadOrCreateGenesis(join(home, "genesis.json"), defaultGenesis({ chainId: "world-1", accounts: [] })),
    listenAddress: "",
    attend: () => {},
  };
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  if (typeof address === "string" || address === null) throw new Error("the server listens on no port");
  const client = new WebSocket(`ws://127.0.0.1:${address.port}`);
  client.on("error", () => {});
  try {
    const [served] = await once(server, "connection");
    if (!(served instanceof WebSocket)) throw new Error("the server has no WebSocket");
    serveSocket(served, view, () => {});
    if (client.readyState !== WebSocket.OPEN) await once(client, "open");
    client.send(
      JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscribe", params: { query: "tm.event='NewBlock'" } }),
    );
    await once(client, "message");
    client.pause();

    const block = Block.fromPartial({ data: { txs: [new Uint8Array(mebibyte)] } });
    const results = ResponseFinalizeBlock.fromPartial({});
    const stored = { block, commit: Commit.fromPartial({}), results, size: 0 };
    let most = 0;
    let published = 0;
    while (served.readyState === WebSocket.OPEN && published < 200) {
      events.publish(stored, []);
      published += 1;
      most = Math.max(most, served.bufferedAmount);
      await setImmediate();
    }
    expect(served.readyState).not.toBe(WebSocket.OPEN);
    // What it may leave unread, and one more message.
    expect(most).toBeGreaterThan(8 * mebibyte);
    expect(most).toBeLessThan(20 * mebibyte);
  } finally {
    client.terminate();
    server.close();
    await store.close();
    await application.close();
    rmSync(home, { recursive: true, force: true });
  }
});
