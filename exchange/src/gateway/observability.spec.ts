import type { ChainAccess } from "./chain-access";
import { healthOf } from "./observability-server";
import { type ServedNode, smallDeployment, startServedNode } from "./testing/served-node";

jest.setTimeout(120_000);

describe("of a running node", () => {
  let served: ServedNode;
  let url: string;

  beforeAll(async () => {
    served = await startServedNode({ metrics: {} });
    url = served.node.clients.metricsUrl ?? "";
  });

  afterAll(() => served.close());

  it("metrics say what the chain holds and what its blocks did", async () => {
    await served.client.submit([smallDeployment(served.tenant.address, 1)]);
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    const text = await response.text();
    const value = (name: string) =>
      Number(new RegExp(`^${name.replace(/[{}"/.]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1]);
    expect(value("dcx_block_height")).toBeGreaterThan(0);
    expect(value("dcx_active_deployments")).toBe(1);
    expect(value("dcx_open_orders")).toBe(1);
    expect(value("dcx_transactions_total")).toBe(1);
    expect(value("dcx_transactions_failed_total")).toBe(0);
    expect(value('dcx_messages_total{type="dcx.exchange.v1.MsgSubmitDeployment"}')).toBe(1);
    expect(value("dcx_validators")).toBe(1);
    expect(value("dcx_mempool_transactions")).toBe(0);
    expect(value("dcx_block_interval_seconds")).toBeGreaterThan(0);
    expect(value('dcx_disk_bytes{part="state"}')).toBeGreaterThan(0);
    expect(text).not.toContain(served.tenant.address);
  });

  it("is healthy", async () => {
    const response = await fetch(`${url}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok", height: expect.stringMatching(/^\d+$/) });
    expect((await fetch(`${url}/other`)).status).toBe(404);
  });
});

describe("health", () => {
  const access = (time: string, catchingUp: boolean): ChainAccess => ({
    query: () => {
      throw new Error("nobody asks the application for that");
    },
    call: async () => ({
      node_info: {
        protocol_version: { p2p: "8", block: "11", app: "3" },
        id: "",
        listen_addr: "",
        network: "dcx-1",
        version: "0.38.0",
        channels: "",
        moniker: "",
        other: { tx_index: "on", rpc_address: "" },
      },
      sync_info: { latest_block_height: "7", latest_block_time: time, catching_up: catchingUp },
    }),
  });
  const now = Date.parse("2026-01-01T00:10:00Z");

  it("is not given while the node catches up, or the chain stands", async () => {
    const behind = await healthOf(access("2026-01-01T00:09:59.5Z", true), now);
    expect(behind).toEqual({ healthy: false, status: "the node fetches blocks that others have", height: "7" });
    const halted = await healthOf(access("2026-01-01T00:08:00Z", false), now);
    expect(halted).toEqual({ healthy: false, status: "the newest block is 120 s old", height: "7" });
    expect((await healthOf(access("2026-01-01T00:09:59.5Z", false), now)).healthy).toBe(true);
    const gone = { ...access("", false), call: () => Promise.reject(new Error("connection refused")) };
    expect(await healthOf(gone, now)).toEqual({
      healthy: false,
      status: "the node does not answer: connection refused",
    });
  });
});
