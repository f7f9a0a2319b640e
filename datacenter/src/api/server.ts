import type { Server } from "node:https";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import {
  agentServerOptions,
  type CertificateWithKey,
  type ConnectionParameters,
  type Identity,
  MAX_MANIFEST_BYTES,
  MAX_QUOTE_BYTES,
  type Quote,
  QuoteRequest,
  type QuoteTerms,
} from "@dcx/protocol";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { z } from "zod";
import { Guests } from "../callers/guests";
import { RateLimit } from "../callers/rate-limit";
import { Refusals } from "../callers/refusals";
import type { ManifestStore } from "../manifest/store";
import type { BidDecision } from "../market/decide-bid";
import type { Authorization } from "./authorization";
import { closedBy } from "./closed-by";
import { type ExecApiOptions, serveExec } from "./exec";
import { type DeploymentParams, deploymentPath, serveManifests } from "./manifests";
import { Refusal } from "./refusal";
import { mustHold, parse } from "./requests";
import type { StatusBoard } from "./status-board";
import type { WorkloadEvents } from "./workload-events";
import { readWorkloadLogs, type WorkloadLogs } from "./workload-logs";

/** Longest that a status request waits. */
const longestWait = 60_000;
/** Stamps and JSON's escapes around the largest manifest. */
const bodyLimit = 2 * MAX_MANIFEST_BYTES;

export interface AgentApiOptions {
  readonly leaf: CertificateWithKey;
  readonly authorization: Authorization;
  readonly identity: () => Identity;
  readonly store: ManifestStore;
  readonly status: StatusBoard;
  /** The version that runs here of a deployment. */
  readonly activeVersion: (deployment: string) => string | undefined;
  /** Whether a deployment that is held no more may still be asked about. */
  readonly recentlyHeld: (deployment: string) => boolean;
  readonly quote: (order: string) => Promise<BidDecision | undefined>;
  /** `tenant`: an account that has proven to be that, or undefined for a stranger. */
  readonly quoteTerms: (terms: QuoteTerms, tenant: string | undefined) => Promise<BidDecision>;
  readonly knowsWorkload: (deployment: string, workload: string) => boolean;
  readonly logs: (deployment: string, workload: string, instance: number | undefined) => WorkloadLogs;
  readonly events: WorkloadEvents;
  /** Runs commands in instances. */
  readonly runtime: ExecApiOptions["runtime"];
  readonly parameters: (deployment: string) => Promise<ConnectionParameters>;
  /** Aborted when the agent stops: it ends what waits. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** How long a handshake and a request's headers may take, and all of a request, in milliseconds; absent: as usual. */
  readonly patience?: { readonly handshake: number; readonly request: number };
}

const usualPatience = { handshake: 10_000, request: 60_000 };
/** Whoever comes beyond these is turned away: each costs memory before it is known who it is. */
const mostConnections = { connections: 2_048, connectionsPerAddress: 256 };

type WorkloadParams = DeploymentParams & { readonly name: string };

const StatusQuery = z.object({ after: z.string().optional(), wait: z.coerce.number().int().min(0).default(0) });
const Flag = z.enum(["", "0", "1", "false", "true"]).optional();
const EventsQuery = z.object({ follow: Flag });
const LogsQuery = z.object({
  follow: Flag,
  tail: z.coerce.number().int().min(0).optional(),
  instance: z.coerce.number().int().min(0).optional(),
});

/**
 * The agent's HTTPS interface (protocol: `agent/api.ts`). TLS asks for a certificate and requires none: who the caller
 * is, and whether it is served, is decided for each request.
 */
export function createAgentApi(options: AgentApiOptions): FastifyInstance<Server> {
  const { logger, patience = usualPatience } = options;
  const refusals = new Refusals(logger);
  const server = fastify({
    https: {
      ...agentServerOptions(options.leaf),
      maxHeaderSize: 32 * 1024,
      handshakeTimeout: patience.handshake,
      headersTimeout: Math.min(patience.request, 10_000),
      connectionsCheckingInterval: Math.min(patience.request, 5_000),
    },
    bodyLimit,
    logger: false,
    connectionTimeout: 120_000,
    requestTimeout: patience.request,
    clientErrorHandler: (error, socket) => {
      if (error.code !== "ECONNRESET") {
        refusals.log({ from: addressOf(socket), code: error.code }, "a request could not be read");
      }
      if (socket.writable) socket.end(unreadable);
      else socket.destroy();
    },
    keepAliveTimeout: 30_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  });
  server.setErrorHandler((error, request, reply) => answerError(error, request, reply, options.logger));
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(new Refusal(404, "not-found", "the agent has no such resource").body()),
  );
  const guests = admitGuests(server.server, refusals);
  // Those too that have not begun a handshake: closing would wait for them until they are late.
  server.addHook("preClose", async () => {
    for (const socket of guests.all) socket.destroy();
  });
  // A client that was refused in the handshake sees no more than a close; the reason is only known here.
  server.server.on("tlsClientError", (error, socket) => {
    refusals.log({ from: socket.remoteAddress, err: error }, "TLS handshake failed");
    // Node tells of one that took too long, and leaves it open.
    socket.destroy();
  });
  serveAnybody(server, options);
  serveManifests(server, options);
  serveWorkloads(server, options);
  const instances = (deployment: string, workload: string) => options.logs(deployment, workload, undefined).instances();
  serveExec(server.server, { ...options, instances });
  return server;
}

/** Turns away whom there is no place for, before TLS: that is what costs. */
function admitGuests(server: Server, refusals: Refusals): Guests {
  const guests = new Guests(mostConnections);
  const admitted = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const reason = guests.admit(socket);
    if (reason === undefined) {
      for (const listener of admitted) listener.call(server, socket);
      return;
    }
    refusals.log({ from: socket.remoteAddress, reason }, "a connection was turned away: too many");
    socket.on("error", () => undefined).resetAndDestroy();
  });
  return guests;
}

function serveAnybody(server: FastifyInstance<Server>, options: AgentApiOptions): void {
  const { authorization, identity, quote, quoteTerms } = options;
  const limit = new RateLimit(20, 100);
  server.get("/v1/identity", () => identity());
  server.post("/v1/quotes", { bodyLimit: MAX_QUOTE_BYTES }, async (request): Promise<Quote> => {
    if (!limit.admit(request.ip, performance.now())) {
      throw new Refusal(429, "too-many-requests", "too many quotes were asked for; try again in a second");
    }
    const { order = "", terms, tenant } = parse(QuoteRequest, request.body, "the request");
    if (terms !== undefined) {
      if (tenant !== undefined) await authorization.authorizeAccount(request, tenant);
      return quoteOf(await quoteTerms(terms, tenant));
    }
    const decision = await quote(order).catch((error: unknown) => {
      if (error instanceof Refusal) throw error;
      return undefined;
    });
    if (decision === undefined) throw new Refusal(404, "no-such-order", `the exchange has no open order ${order}`);
    return quoteOf(decision);
  });
}

function quoteOf(decision: BidDecision): Quote {
  if (decision.willBid) return { willBid: true, rate: decision.rate.toString() };
  const { reason, message, rate } = decision;
  return { willBid: false, reason, message, ...(rate === undefined ? {} : { rate: rate.toString() }) };
}

function serveWorkloads(server: FastifyInstance<Server>, options: AgentApiOptions): void {
  const { authorization, events, knowsWorkload, logs, recentlyHeld, signal, status } = options;
  const base = deploymentPath;
  server.get<{ Params: DeploymentParams }>(`${base}/status`, async (request, reply) => {
    const authorized = await authorization.authorize(request, "observe", ["account"]);
    if (!recentlyHeld(authorized.deployment)) mustHold(authorized);
    const { after, wait } = parse(StatusQuery, request.query, "the query");
    const gone = closedBy(reply, signal);
    return await status.read(authorized.deployment, after, Math.min(wait, longestWait), gone);
  });
  server.get<{ Params: DeploymentParams }>(`${base}/events`, async (request, reply) => {
    const { deployment } = mustHold(await authorization.authorize(request, "observe", ["account"]));
    const { follow } = parse(EventsQuery, request.query, "the query");
    const gone = closedBy(reply, signal);
    reply.raw.socket?.setTimeout(0);
    return sendLines(reply, events.read(deployment, isYes(follow), gone));
  });
  server.get<{ Params: WorkloadParams }>(`${base}/workloads/:name/logs`, async (request, reply) => {
    const { deployment } = mustHold(await authorization.authorize(request, "observe", ["account"]));
    const { follow, tail, instance } = parse(LogsQuery, request.query, "the query");
    if (!knowsWorkload(deployment, request.params.name)) {
      throw new Refusal(404, "no-such-workload", `nothing called ${request.params.name} is placed in this datacenter`);
    }
    const gone = closedBy(reply, signal);
    // A log may be silent for longer than a connection may otherwise be.
    reply.raw.socket?.setTimeout(0);
    const wanted = { follow: isYes(follow), ...(tail === undefined ? {} : { tail }) };
    const lines = readWorkloadLogs(logs(deployment, request.params.name, instance), wanted, gone);
    return sendLines(reply, lines);
  });
}

/** To who sends what is no request, or not in time. */
const unreadable = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

function addressOf(socket: object): string | undefined {
  return "remoteAddress" in socket && typeof socket.remoteAddress === "string" ? socket.remoteAddress : undefined;
}

function isYes(flag: z.infer<typeof Flag>): boolean {
  return flag !== undefined && flag !== "0" && flag !== "false";
}

function sendLines(reply: FastifyReply, lines: AsyncIterable<object>): FastifyReply {
  return reply.type("application/x-ndjson").send(Readable.from(ndjson(lines), { objectMode: false }));
}

async function* ndjson(lines: AsyncIterable<object>): AsyncIterable<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): FastifyReply {
  if (error instanceof Refusal) return reply.code(error.status).send(error.body());
  const status =
    typeof error === "object" && error !== null && "statusCode" in error && typeof error.statusCode === "number"
      ? error.statusCode
      : 500;
  if (status >= 400 && status < 500) {
    const message = error instanceof Error ? error.message : "the request can't be understood";
    return reply.code(status).send(new Refusal(status, "malformed", message).body());
  }
  logger.error({ err: error, method: request.method, path: request.routeOptions.url }, "a request failed");
  return reply.code(500).send(new Refusal(500, "internal", "the agent failed; its log says why").body());
}
