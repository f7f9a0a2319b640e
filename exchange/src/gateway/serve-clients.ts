import type { Logger } from "pino";
import type { HttpListen } from "../node/rpc/http";
import type { MetricsSource } from "./node-metrics";

/** Where a node listens for HTTP. */
export type ListenOptions = Partial<HttpListen>;

/** What a node serves beside CometBFT's JSON-RPC. Absent: that is not served. */
export interface ClientInterfaces {
  /** grpc-gateway's REST. */
  readonly rest?: ListenOptions;
  /** gRPC, without TLS. */
  readonly grpc?: Pick<ListenOptions, "host" | "port">;
  /** Prometheus' metrics and the node's health. */
  readonly metrics?: ListenOptions;
}

/** Where it is served, by what it is. */
export interface ClientUrls {
  readonly restUrl?: string;
  /** host:port */
  readonly grpcAddress?: string;
  readonly metricsUrl?: string;
}

export interface ServedInterfaces extends ClientUrls {
  close(): Promise<void>;
}

/** An address to listen on, as a node's options name it: this machine alone, any port, no page of a browser. */
function listenOf(options: ListenOptions): HttpListen {
  return { host: "127.0.0.1", port: 0, allowedHosts: [], allowedOrigins: [], ...options };
}

/** In the log, of whoever sent what is no request, or not in time. */
export const unreadableRequest = "a request could not be read";

/** Serves a chain to wallets and programs. @throws when an address is taken: nothing is served then */
export async function serveClients(
  source: MetricsSource,
  interfaces: ClientInterfaces,
  logger: Logger,
): Promise<ServedInterfaces> {
  const opened: { close(): Promise<void> }[] = [];
  const close = async () => {
    for (const one of opened.reverse()) await one.close();
  };
  const onError = (error: unknown, path: string) => logger.error({ err: error, path }, "a call could not be answered");
  const onUnreadable: HttpListen["onUnreadable"] = (details) => logger.info(details, unreadableRequest);
  try {
    let urls: ClientUrls = {};
    if (interfaces.rest !== undefined) {
      // The definitions take a while to load: only where they are asked for.
      const { serveRest } = await import("./rest-server.js");
      const rest = await serveRest(source.access, listenOf({ ...interfaces.rest, onUnreadable }), onError);
      opened.push(rest);
      urls = { ...urls, restUrl: rest.url };
    }
    if (interfaces.grpc !== undefined) {
      const { serveGrpc } = await import("./grpc-server.js");
      const grpc = await serveGrpc(source.access, listenOf(interfaces.grpc), onError);
      opened.push(grpc);
      urls = { ...urls, grpcAddress: grpc.address };
    }
    if (interfaces.metrics !== undefined) {
      const { serveObservability } = await import("./observability-server.js");
      const metrics = await serveObservability(source, listenOf({ ...interfaces.metrics, onUnreadable }), onError);
      opened.push(metrics);
      urls = { ...urls, metricsUrl: metrics.url };
    }
    if (opened.length > 0) logger.info(urls, "clients are served");
    return { ...urls, close };
  } catch (error) {
    await close();
    throw error;
  }
}
