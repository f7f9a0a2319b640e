import { mkdirSync } from "node:fs";
import type { Duplex } from "node:stream";
import { type ConnectionStatus, PeerVerifier } from "@dcx/protocol";
import { Egress } from "./egress/egress";
import { Ingress } from "./ingress/ingress";
import { IngressTraffic } from "./ingress/ingress-traffic";
import { NamedIngress } from "./ingress/named-ingress";
import { Leaves } from "./leaves";
import { usualIngressLimits, usualTunnelLimits } from "./limits";
import type { ConnectionKey, Overlay, OverlayOptions, WantedConnections } from "./overlay";
import { RememberedPorts } from "./ports";
import { Source } from "./source";
import { workloadUri } from "./tunnel-name";
import { TunnelServer } from "./tunnel-server";

const defaultLifetime = 24 * 3600;
/** How often what could not be opened is tried again, in milliseconds. */
const checkInterval = 500;

/**
 * Starts a datacenter's overlay: it carries the declared connections of the workloads here and nothing else.
 * Rejects when the ports for tunnels and host names can't be had.
 */
export async function startOverlay(options: OverlayOptions): Promise<Overlay> {
  mkdirSync(options.home, { recursive: true, mode: 0o700 });
  const { chainId, datacenter, logger, network } = options;
  const ports = new RememberedPorts(options.home);
  const leaves = new Leaves(options.issue, (options.leafLifetime ?? defaultLifetime) * 1000, logger);
  const verifier = new PeerVerifier();
  const dial = async (instance: string, port: number): Promise<Duplex> => (await network(instance)).dial(port);
  const { tunnels: tunnelLimits = usualTunnelLimits } = options;
  const server = new TunnelServer({ chainId, datacenter, leaves, verifier, limits: tunnelLimits, dial, logger });
  const port = await listen(server, options, ports);
  const { limits = usualIngressLimits, names, rawPorts = true } = options.ingress;
  const traffic = new IngressTraffic();
  const { home } = options;
  const named =
    names === undefined
      ? undefined
      : await startNamed({ chainId, names, limits, traffic, ports, home, logger, onChange: () => onChange() }, server);

  const sources = new Map<string, Source>();
  const ingresses = new Map<string, Ingress>();
  const egresses = new Map<string, Egress>();
  let wanted: WantedConnections = { sources: [], targets: [], ingresses: [], egresses: [] };
  const listeners = new Set<() => void>();
  let announced = "";
  const onChange = () => {
    const now = JSON.stringify([...status()]);
    if (now !== announced) {
      announced = now;
      for (const listener of listeners) {
        listener();
      }
    }
  };

  const status = (): Map<ConnectionKey, ConnectionStatus> => {
    const all = new Map<ConnectionKey, ConnectionStatus>();
    for (const { connection, instances, leaving } of wanted.targets) {
      if (leaving === true) {
        continue;
      }
      const established = instances.length > 0;
      const message = established ? {} : { message: "no instance of the target is ready" };
      all.set(`target ${connection}`, { role: "target", established, ...message });
    }
    for (const wantedSource of wanted.sources) {
      if (wantedSource.leaving === true) {
        continue;
      }
      const one = sources.get(sourceKey(wantedSource))?.status();
      const before = all.get(`source ${wantedSource.connection}`);
      if (one !== undefined && before?.established !== false) {
        all.set(`source ${wantedSource.connection}`, one);
      }
    }
    for (const [connection, ingress] of ingresses) {
      all.set(`ingress ${connection}`, ingress.status());
    }
    return all;
  };

  leaves.onRenewed((uri) => {
    for (const source of sources.values()) {
      if (source.uri === uri) {
        source.renew();
      }
    }
  });
  const check = setInterval(() => {
    for (const source of sources.values()) {
      source.check();
    }
    for (const each of [...ingresses.values(), ...egresses.values()]) {
      each.check();
    }
  }, checkInterval);
  check.unref();

  return {
    address: `${hostPart(options.advertise ?? options.listen.host)}:${port}`,
    apply: (next) => {
      wanted = next;
      server.apply(next.targets);
      reconcile(
        sources,
        new Map(next.sources.map((source) => [sourceKey(source), source])),
        (source) => new Source({ chainId, datacenter, leaves, verifier, network, logger, onChange }, source),
      );
      const ingressOptions = {
        listen: options.ingress.listen,
        host: options.ingress.host ?? options.ingress.listen,
        ports,
        rawPorts,
        limits,
        traffic,
        ...(named === undefined ? {} : { named }),
        dial,
        logger,
        onChange,
      };
      reconcile(
        ingresses,
        new Map(next.ingresses.map((ingress) => [ingress.connection, ingress])),
        (ingress) => new Ingress(ingressOptions, ingress),
      );
      reconcile(
        egresses,
        new Map(next.egresses.map((egress) => [egressKey(egress), egress])),
        (egress) => new Egress({ ...options.egress, chainId, verifier, network, logger, onChange }, egress),
      );
      leaves.retain(
        new Set([
          ...[...sources.values()].map(({ uri }) => uri),
          ...next.targets.map(({ target }) => workloadUri(chainId, { datacenter, ...target })),
        ]),
      );
      onChange();
    },
    status,
    certificate: async (lease, workload) =>
      (await leaves.get(workloadUri(chainId, { datacenter, lease, workload }))).certificate,
    renew: async () => {
      named?.renew();
      await leaves.renew();
      server.renew();
    },
    presented: () => [...server.presented(), ...[...sources.values()].flatMap((source) => source.presented())],
    traffic: (way) => traffic.counts(way),
    tunnels: () => server.counts(),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {
      clearInterval(check);
      listeners.clear();
      // Before its connections go: that they go now says nothing of whose the host names are.
      named?.close();
      reconcile(sources, new Map(), unreachable);
      reconcile(ingresses, new Map(), unreachable);
      reconcile(egresses, new Map(), unreachable);
      leaves.close();
      await server.close();
    },
  };
}

/** What makes two wanted sources the same listener; everything else changes in place. */
function sourceKey({ connection, source, address, port }: WantedConnections["sources"][number]): string {
  return JSON.stringify([connection, source.lease, source.workload, address, port]);
}

function egressKey({ source, address, port }: WantedConnections["egresses"][number]): string {
  return JSON.stringify([source.lease, source.workload, address, port]);
}

/** Closes what is not wanted, updates what is, makes what is missing. */
function reconcile<Wanted, Entry extends { apply(wanted: Wanted): void; close(): void }>(
  present: Map<string, Entry>,
  wanted: ReadonlyMap<string, Wanted>,
  make: (wanted: Wanted) => Entry,
): void {
  for (const [key, entry] of present) {
    if (!wanted.has(key)) {
      present.delete(key);
      entry.close();
    }
  }
  for (const [key, each] of wanted) {
    const entry = present.get(key);
    if (entry === undefined) {
      present.set(key, make(each));
    } else {
      entry.apply(each);
    }
  }
}

function unreachable(): never {
  throw new Error("nothing is made while closing");
}

async function startNamed(
  options: Parameters<typeof NamedIngress.start>[0],
  server: TunnelServer,
): Promise<NamedIngress> {
  try {
    return await NamedIngress.start(options);
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function listen(server: TunnelServer, options: OverlayOptions, ports: RememberedPorts): Promise<number> {
  const { host, port } = options.listen;
  const remembered = ports.shared("tunnels");
  if (port === 0 && remembered !== undefined) {
    try {
      return await server.listen(host, remembered);
    } catch (error) {
      options.logger.warn({ port: remembered, error: String(error) }, "tunnels have to take another port");
    }
  }
  const used = await server.listen(host, port);
  ports.setShared("tunnels", used);
  return used;
}

function hostPart(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
