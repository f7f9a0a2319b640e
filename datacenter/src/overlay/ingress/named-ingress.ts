import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import type { Duplex } from "node:stream";
import type { HostStatus } from "@dcx/protocol";
import { Flows } from "../flows";
import type { IngressLimits, IngressNames, OverlayLogger } from "../overlay";
import type { RememberedPorts } from "../ports";
import { HostCertificates } from "./certificates";
import { generatedLabel } from "./generated-name";
import { createHttpFront } from "./http-front";
import type { IngressTraffic } from "./ingress-traffic";
import { OwnHosts } from "./own-hosts";
import { RememberedHosts } from "./remembered-hosts";
import { type NamedRoute, TlsFront } from "./tls-front";
import { createTxtLookup } from "./txt-lookup";

export interface NamedIngressOptions {
  readonly chainId: string;
  readonly names: IngressNames;
  /** Folder of the overlay's. */
  readonly home: string;
  readonly ports: RememberedPorts;
  readonly limits: IngressLimits;
  readonly traffic: IngressTraffic;
  readonly logger: OverlayLogger;
  /** What is said of a connection changed. */
  readonly onChange: () => void;
}

/** One global connection, as its host names need it. */
export interface NamedConnection {
  /** Host names of the tenant's own. */
  readonly hosts: readonly string[];
  /** Opens a stream to an instance of its target. */
  readonly open: () => Promise<Duplex>;
}

/** Of all connections so much at most lead to one host name: nobody's visitors keep out those of others. */
const shareOfOne = 0.5;

interface Route {
  readonly connection: string;
  readonly flows: Flows;
}

/** The host names of all global connections: TLS at one port, told apart by server name, and plain HTTP that leads there. */
export class NamedIngress {
  readonly #options: NamedIngressOptions;
  readonly #connections = new Map<string, NamedConnection>();
  readonly #routes = new Map<string, Route>();
  /** By connection: what is made of it. */
  readonly #generatedHosts = new Map<string, string>();
  readonly #certificates: HostCertificates;
  readonly #own: OwnHosts;
  readonly #tls: TlsFront;
  #http: HttpServer | undefined;
  #port = 0;

  /**
   * Rejects where a port can't be had or a certificate can't be read.
   */
  static async start(options: NamedIngressOptions): Promise<NamedIngress> {
    const ingress = new NamedIngress(options);
    try {
      await ingress.#listen();
      return ingress;
    } catch (error) {
      ingress.close();
      throw error;
    }
  }

  private constructor(options: NamedIngressOptions) {
    this.#options = options;
    const { limits, names, logger, traffic } = options;
    this.#certificates = new HostCertificates({
      ...names,
      files: names.certificates,
      ...(names.certificateFolder === undefined ? {} : { folder: names.certificateFolder }),
      logger,
    });
    this.#own = new OwnHosts({
      ...options,
      ...names.own,
      domain: names.domain,
      dns: createTxtLookup(names.own.resolvers),
      remembered: new RememberedHosts(options.home),
      onHolder: (host, holder) => (holder === undefined ? this.#leave(host) : this.#lead(host, holder)),
    });
    this.#tls = new TlsFront({
      route: (host) => this.#route(host),
      context: (host) => this.#certificates.context(host),
      limits,
      traffic,
      logger,
    });
  }

  /** Serves a connection by its names; what it was before is forgotten. */
  set(connection: string, named: NamedConnection): void {
    this.#connections.set(connection, named);
    const host = this.#generated(connection);
    if (this.#routes.get(host)?.connection !== connection) this.#lead(host, connection);
    this.#own.set(connection, named.hosts);
  }

  /** Serves it no more, and cuts its flows. */
  remove(connection: string): void {
    this.#connections.delete(connection);
    this.#generatedHosts.delete(connection);
    this.#own.set(connection, []);
    for (const [host, route] of this.#routes) if (route.connection === connection) this.#leave(host);
  }

  /** Where it is reached. */
  describe(connection: string): { readonly address: string; readonly hosts?: Record<string, HostStatus> } {
    const hosts = this.#own.status(connection);
    return { address: this.#origin(this.#generated(connection)), ...(hosts === undefined ? {} : { hosts }) };
  }

  /** Certificates that the datacenter issues are under another root from now on. */
  renew(): void {
    this.#certificates.renew();
  }

  close(): void {
    for (const host of this.#routes.keys()) this.#leave(host);
    this.#own.close();
    this.#certificates.close();
    this.#tls.close();
    this.#http?.close();
    this.#http?.closeAllConnections();
  }

  #generated(connection: string): string {
    const known = this.#generatedHosts.get(connection);
    if (known !== undefined) return known;
    const host = `${generatedLabel(this.#options.chainId, connection)}.${this.#options.names.domain}`;
    this.#generatedHosts.set(connection, host);
    return host;
  }

  #origin(host: string): string {
    const port = this.#options.names.port ?? this.#port;
    return port === 443 ? `https://${host}` : `https://${host}:${port}`;
  }

  #lead(host: string, connection: string): void {
    this.#leave(host);
    this.#routes.set(host, { connection, flows: new Flows() });
  }

  #leave(host: string): void {
    this.#routes.get(host)?.flows.cut();
    this.#routes.delete(host);
    this.#certificates.forget(host);
  }

  #route(host: string): NamedRoute | undefined {
    const route = this.#routes.get(host);
    const connection = route === undefined ? undefined : this.#connections.get(route.connection);
    if (route === undefined || connection === undefined) return undefined;
    const most = Math.ceil(this.#options.limits.connections * shareOfOne);
    const refusal = `there are ${most} connections to it already, and others need some too`;
    return {
      carry: (stream) => void route.flows.carry(stream, connection.open),
      // A flow is two streams.
      ...(route.flows.size >= 2 * most ? { refusal } : {}),
    };
  }

  async #listen(): Promise<void> {
    const { limits, names, ports, logger } = this.#options;
    this.#port = await listen(this.#tls.server, names.tls, ports, "names", logger);
    if (names.http === undefined) return;
    this.#http = createHttpFront({
      origin: (host) => (this.#routes.has(host) ? this.#origin(host) : undefined),
      ...(names.challenges === undefined ? {} : { challenges: names.challenges }),
      connections: limits.connections,
    });
    await listen(this.#http, names.http, ports, "redirect", logger);
  }
}

/** Listens, at the port of the last time where a free one is asked for. */
async function listen(
  server: Server,
  { host, port }: IngressNames["tls"],
  ports: RememberedPorts,
  what: "names" | "redirect",
  logger: OverlayLogger,
): Promise<number> {
  const remembered = port === 0 ? ports.shared(what) : undefined;
  for (const each of remembered === undefined ? [port] : [remembered, port]) {
    try {
      server.listen({ host, port: each, backlog: 1024 });
      await once(server, "listening");
      const used = (server.address() as AddressInfo).port;
      server.on("error", (error) => logger.warn({ what, error: error.message }, "the ingress failed"));
      ports.setShared(what, used);
      return used;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (each === port) {
        throw new Error(`the ingress can't listen on ${host}:${port}: ${reason}`, { cause: error });
      }
      logger.warn({ what, port: each, reason }, "the ingress has to take another port");
    }
  }
  throw new Error("unreachable");
}
