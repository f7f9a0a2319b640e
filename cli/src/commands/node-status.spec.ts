import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultGenesis, startEmbeddedNode } from "@dcx/exchange";
import pino from "pino";
import { CommandFailure } from "../output/failure";
import { describeNode, readNodeStatus } from "./node-status";

jest.setTimeout(120_000);

test("says how a running node is", async () => {
  const home = mkdtempSync(join(tmpdir(), "dcx-node-status-"));
  const node = await startEmbeddedNode({
    home,
    genesis: defaultGenesis({ chainId: "dcx-status", accounts: [] }),
    rpc: {},
    logger: pino({ level: "silent" }),
  });
  try {
    const status = await readNodeStatus(`${node.rpcUrl}/`);
    expect(status).toMatchObject({ chain: "dcx-status", catchingUp: false, peers: 0, pending: 0, votingPower: "10" });
    expect(BigInt(status.height)).toBeGreaterThan(0n);
    expect(describeNode(status)).toMatch(/^chain {10}dcx-status\n/);
    expect(describeNode({ ...status, votingPower: "0", catchingUp: true })).toMatch(
      /catching up\n[\s\S]*signs no blocks/,
    );
  } finally {
    await node.close();
    rmSync(home, { recursive: true, force: true });
  }
});

test("says what to do where no node answers", async () => {
  const failure = readNodeStatus("http://127.0.0.1:9");
  await expect(failure).rejects.toThrow(CommandFailure);
  await expect(failure).rejects.toThrow(/127\.0\.0\.1:9 does not answer status/);
});
