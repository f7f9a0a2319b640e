import { Lease, QueryParametersResponse } from "@dcx/protocol";
import type { ChainView } from "../chain/view";
import type { ObservedInstance } from "../runtime/runtime";
import { AgentMetrics } from "./metrics";

const capacity = { cpu: 4_000n, memory: 1n << 30n, disk: 1n << 40n, gpu: 0n };
const labels = { deployment: "dcx1tenant/1", infrastructure: "west", lease: "l", workload: "secret-name", index: 0 };
const instance = (state: ObservedInstance["state"]): ObservedInstance => ({
  id: "i",
  labels,
  digest: "d",
  state,
  containerId: "c",
});

function metricsOf(view: ChainView | undefined): AgentMetrics {
  return new AgentMetrics({
    view: () => view,
    market: {
      free: () => ({ ...capacity, cpu: 1_500n }),
      drainProgress: () => ({ leases: 0, withoutNotice: 0, bids: 2, instances: 0, drained: false }),
      funds: () => ({ balance: 12_500_000n, collateral: 3_000_000n }),
      counts: { bids: 7, confirmations: 5, refusedConfirmations: 1 },
    },
    reconciler: {
      look: {
        targets: [],
        observed: [
          instance({ phase: "running", startedAt: "", restarts: 2 }),
          instance({ phase: "exited", exitCode: 1, message: "a secret", restarts: 3 }),
        ],
      },
    },
    capacity,
    isDraining: () => true,
    overlay: {
      tunnels: () => ({ open: 4, tunnels: 9, refused: 6, arriving: 2 }),
      traffic: (way) => ({ open: 3, connections: 8, refused: way === "port" ? 2 : 0, received: 1_000, sent: 5_000 }),
    },
  });
}

test("the metrics of an agent say how it is, and name nobody", async () => {
  const lease = (lastConfirmedHeight: bigint) => Lease.fromPartial({ lastConfirmedHeight, reconfirmationPeriod: 100n });
  const view: ChainView = {
    height: 250n,
    parameters: QueryParametersResponse.fromPartial({}),
    record: undefined,
    orders: new Map(),
    fulfillments: new Map(),
    leases: new Map([
      ["a", lease(240n)],
      ["b", lease(210n)],
    ]),
    broken: new Map(),
    deployments: new Map(),
  };
  const metrics = metricsOf(view);
  await metrics.read();
  // Asked twice: nothing adds up.
  const { text, type } = await metrics.read();
  expect(type).toContain("text/plain");
  for (const line of [
    "dcx_chain_height 250",
    "dcx_leases 2",
    "dcx_bids_open 2",
    "dcx_lease_blocks_left 60",
    "dcx_draining 1",
    "dcx_balance_tokens 12.5",
    "dcx_collateral_tokens 3",
    'dcx_capacity_total{resource="cpu"} 4',
    'dcx_capacity_free{resource="cpu"} 1.5',
    'dcx_instances{state="running"} 1',
    'dcx_instances{state="exited"} 1',
    'dcx_instances{state="failed"} 0',
    "dcx_instance_restarts 5",
    "dcx_bids_total 7",
    "dcx_confirmations_total 5",
    "dcx_confirmations_refused_total 1",
    "dcx_tunnels 4",
    "dcx_tunnel_handshakes 2",
    "dcx_tunnels_total 9",
    "dcx_tunnels_refused_total 6",
    'dcx_ingress_connections{by="name"} 3',
    'dcx_ingress_connections_total{by="port"} 8',
    'dcx_ingress_refused_total{by="port"} 2',
    'dcx_ingress_refused_total{by="name"} 0',
    'dcx_ingress_received_bytes_total{by="port"} 1000',
    'dcx_ingress_sent_bytes_total{by="port"} 5000',
  ]) {
    expect(text.split("\n")).toContain(line);
  }
  expect(text).toContain("process_resident_memory_bytes");
  expect(text).not.toMatch(/secret|dcx1tenant/);
});

test("before the chain has been read there is nothing to say of leases and what is free", async () => {
  const { text } = await metricsOf(undefined).read();
  expect(text.split("\n")).toContain("dcx_chain_height 0");
  expect(text).not.toMatch(/^dcx_lease_blocks_left /m);
  expect(text).not.toMatch(/^dcx_capacity_free\{/m);
});
