import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ChainView } from "../chain/view";
import type { Capacity } from "../market/capacity";
import type { Market } from "../market/market";
import { type IngressCounts, ingressWays } from "../overlay/ingress/ingress-traffic";
import type { Overlay } from "../overlay/overlay";
import type { Reconciler } from "../reconcile/reconciler";

export interface MetricsOptions {
  readonly view: () => ChainView | undefined;
  readonly market: Pick<Market, "free" | "drainProgress" | "funds" | "counts">;
  readonly reconciler: Pick<Reconciler, "look">;
  /** All that is sold. */
  readonly capacity: Capacity;
  readonly isDraining: () => boolean;
  readonly overlay: Pick<Overlay, "traffic" | "tunnels">;
}

const microUnits = 1_000_000;

/** An agent's metrics, in Prometheus' text format. docs/datacenter.md lists them. They name no tenant and no workload. */
export class AgentMetrics {
  readonly #registry = new Registry();

  constructor(options: MetricsOptions) {
    const { capacity, isDraining, market, overlay, reconciler, view } = options;
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge("dcx_chain_height", "Height of the newest block that the agent has followed.", () =>
      Number(view()?.height ?? 0n),
    );
    this.#gauge("dcx_leases", "Active leases.", () => view()?.leases.size ?? 0);
    this.#gauge("dcx_bids_open", "Bids that are neither matched nor lost.", () => {
      const now = view();
      return now === undefined ? 0 : market.drainProgress(now, 0).bids;
    });
    this.#gauge(
      "dcx_lease_blocks_left",
      "Blocks until the first lease breaks unless it is confirmed. Absent without leases.",
      () => blocksLeft(view()),
    );
    this.#gauge("dcx_draining", "1 while the datacenter takes no new leases and gives notice.", () =>
      isDraining() ? 1 : 0,
    );
    this.#gauge("dcx_balance_tokens", "What the account held when it was last asked.", () =>
      tokens(market.funds(view()).balance),
    );
    this.#gauge("dcx_collateral_tokens", "Collateral that bids and leases bind.", () =>
      tokens(market.funds(view()).collateral),
    );
    this.#byResource("dcx_capacity_total", "What the datacenter sells: CPUs, bytes, pieces.", () => capacity);
    this.#byResource("dcx_capacity_free", "What of it is neither sold nor promised.", () => {
      const now = view();
      return now === undefined ? undefined : market.free(now);
    });
    const instances = new Gauge({
      name: "dcx_instances",
      help: "Instances by what the runtime says of them.",
      labelNames: ["state"],
      registers: [this.#registry],
      collect: () => {
        instances.reset();
        for (const phase of ["pulling", "running", "exited", "failed"]) instances.set({ state: phase }, 0);
        for (const { state } of reconciler.look.observed) instances.inc({ state: state.phase });
      },
    });
    this.#gauge("dcx_instance_restarts", "How often the instances that are there were started again.", () =>
      reconciler.look.observed.reduce((sum, { state }) => sum + ("restarts" in state ? state.restarts : 0), 0),
    );
    this.#counter("dcx_bids_total", "Bids that the exchange took.", () => market.counts.bids);
    this.#counter(
      "dcx_confirmations_total",
      "Confirmations of leases that counted.",
      () => market.counts.confirmations,
    );
    this.#counter(
      "dcx_confirmations_refused_total",
      "Confirmations that the exchange refused.",
      () => market.counts.refusedConfirmations,
    );
    this.#gauge("dcx_tunnels", "Tunnels to workloads here that stand.", () => overlay.tunnels().open);
    this.#gauge(
      "dcx_tunnel_handshakes",
      "Callers of the tunnel port that have not finished a handshake.",
      () => overlay.tunnels().arriving,
    );
    this.#counter("dcx_tunnels_total", "Tunnels that were let in.", () => overlay.tunnels().tunnels);
    this.#counter("dcx_tunnels_refused_total", "Callers that were refused.", () => overlay.tunnels().refused);
    this.#byWay("dcx_ingress_connections", "Connections of the public's that are open.", overlay, "open");
    this.#byWay("dcx_ingress_connections_total", "Those that were let in.", overlay, "connections");
    this.#byWay("dcx_ingress_refused_total", "Those that were refused.", overlay, "refused");
    this.#byWay("dcx_ingress_received_bytes_total", "What they sent to workloads.", overlay, "received");
    this.#byWay("dcx_ingress_sent_bytes_total", "What workloads sent to them.", overlay, "sent");
  }

  /** The text, and its media type. */
  async read(): Promise<{ readonly text: string; readonly type: string }> {
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }

  #gauge(name: string, help: string, value: () => number | undefined): void {
    const gauge = new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect: () => {
        const now = value();
        if (now === undefined) gauge.remove();
        else gauge.set(now);
      },
    });
  }

  #byResource(name: string, help: string, value: () => Capacity | undefined): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames: ["resource"],
      registers: [this.#registry],
      collect: () => {
        const now = value();
        gauge.reset();
        if (now === undefined) return;
        gauge.set({ resource: "cpu" }, Number(now.cpu) / 1000);
        for (const resource of ["memory", "disk", "gpu"] as const) gauge.set({ resource }, Number(now[resource]));
      },
    });
  }

  /** Of global connections, by the way they are reached. */
  #byWay(name: string, help: string, overlay: MetricsOptions["overlay"], count: keyof IngressCounts): void {
    const common = { name, help, labelNames: ["by"], registers: [this.#registry] };
    const values = () => ingressWays.map((by) => [by, overlay.traffic(by)[count]] as const);
    if (count === "open") {
      const gauge = new Gauge({
        ...common,
        collect: () => {
          for (const [by, value] of values()) gauge.set({ by }, value);
        },
      });
      return;
    }
    const counter = new Counter({
      ...common,
      collect: () => {
        counter.reset();
        for (const [by, value] of values()) counter.inc({ by }, value);
      },
    });
  }

  #counter(name: string, help: string, value: () => number): void {
    const counter = new Counter({
      name,
      help,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        counter.inc(value());
      },
    });
  }
}

function blocksLeft(view: ChainView | undefined): number | undefined {
  const left = [...(view?.leases.values() ?? [])].map(({ lastConfirmedHeight, reconfirmationPeriod }) =>
    Number(lastConfirmedHeight + reconfirmationPeriod - (view?.height ?? 0n)),
  );
  return left.length === 0 ? undefined : Math.min(...left);
}

function tokens(micro: bigint): number {
  return Number(micro) / microUnits;
}
