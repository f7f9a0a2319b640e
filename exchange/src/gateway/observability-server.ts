import { createServer, type ServerResponse } from "node:http";
import { millisecondsOf } from "../node/consensus/time";
import { refusalOfAccess } from "../node/rpc/access";
import { boundClients, type HttpListen, listenOn, lookForLate, targetOf, urlOf } from "../node/rpc/http";
import type { ChainAccess } from "./chain-access";
import { statusSchema } from "./comet-json";
import { type MetricsSource, NodeMetrics } from "./node-metrics";

export interface ObservabilityServer {
  /** http://host:port */
  readonly url: string;
  close(): Promise<void>;
}

/** How a node is, in a word for a supervisor and in a sentence for a person. */
export interface Health {
  readonly healthy: boolean;
  readonly status: string;
  readonly height?: string;
}

/** Milliseconds that the newest block of a chain that goes on may be old. An idle embedded chain makes one every 5 s. */
const mostBlockAge = 60_000;

/** @param now milliseconds since 1970 */
export async function healthOf(access: ChainAccess, now: number): Promise<Health> {
  let answer: unknown;
  try {
    answer = await access.call("status", {});
  } catch (error) {
    return { healthy: false, status: `the node does not answer: ${error instanceof Error ? error.message : error}` };
  }
  const { latest_block_height, latest_block_time, catching_up } = statusSchema.parse(answer).sync_info;
  const height = latest_block_height.toString();
  if (catching_up) return { healthy: false, status: "the node fetches blocks that others have", height };
  const age = Math.round((now - millisecondsOf(latest_block_time)) / 1_000);
  if (age * 1_000 > mostBlockAge) return { healthy: false, status: `the newest block is ${age} s old`, height };
  return { healthy: true, status: "ok", height };
}

/** Serves /metrics for Prometheus and /health: 200, or 503 with the reason. */
export async function serveObservability(
  source: MetricsSource,
  listen: HttpListen,
  onError: (error: unknown, path: string) => void,
): Promise<ObservabilityServer> {
  const metrics = new NodeMetrics(source);
  const answer = async (path: string, response: ServerResponse) => {
    if (path === "/metrics") {
      const { text, type } = await metrics.read();
      response.writeHead(200, { "content-type": type }).end(text);
    } else if (path === "/health") {
      const { healthy, ...said } = await healthOf(source.access, Date.now());
      const body = `${JSON.stringify(said)}\n`;
      response
        .writeHead(healthy ? 200 : 503, { "content-type": "application/json", "cache-control": "no-store" })
        .end(body);
    } else {
      response.writeHead(404, { "content-type": "text/plain" }).end("Here are /metrics and /health.\n");
    }
  };
  const server = createServer(lookForLate, (request, response) => {
    const refusal = refusalOfAccess(request, listen);
    if (refusal !== undefined) {
      response.writeHead(403, { "content-type": "text/plain" }).end(`${refusal}\n`);
      return;
    }
    const { pathname } = targetOf(request);
    answer(pathname, response).catch((error: unknown) => {
      onError(error, pathname);
      if (!response.headersSent) response.writeHead(503, { "content-type": "text/plain" });
      response.end("the node does not answer: its log says why\n");
    });
  });
  boundClients(server, listen);
  const address = await listenOn(server, listen);
  return {
    url: urlOf(address),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
