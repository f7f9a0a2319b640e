import { rmSync } from "node:fs";
import { join } from "node:path";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { type ControlStatus, controlSocket, DrainRequest, RotationRequest } from "./protocol";

export interface ControlActions {
  readonly status: () => ControlStatus;
  readonly drain: (options: { readonly exit: boolean }) => void;
  readonly resume: () => void;
  readonly rotateRoot: (options: { readonly overlap: number }) => Promise<void>;
}

/** In Prometheus' text format. */
export type ReadMetrics = () => Promise<{ readonly text: string; readonly type: string }>;

export interface Control {
  close(): Promise<void>;
}

/**
 * Listens in the agent's home, whose mode keeps others out. An agent runs without it where the socket can't be had,
 * as where the folder's path is too long for one.
 * @param patience milliseconds that a request may take to come
 */
export async function startControl(
  home: string,
  actions: ControlActions,
  metrics: ReadMetrics,
  logger: Logger,
  patience = 10_000,
): Promise<Control> {
  const app: FastifyInstance = fastify({
    forceCloseConnections: true,
    bodyLimit: 64 * 1024,
    requestTimeout: patience,
    http: { headersTimeout: patience, connectionsCheckingInterval: Math.min(patience, 1_000) },
    clientErrorHandler: (error, socket) => {
      if (error.code !== "ECONNRESET")
        logger.info({ code: error.code }, "a request to the control socket can't be read");
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
      else socket.destroy();
    },
  });
  serveMetrics(app, metrics);
  app.get("/status", async () => actions.status());
  app.post("/drain", async (request, reply) => {
    const asked = DrainRequest.safeParse(request.body);
    if (!asked.success) return await reply.code(400).send({ message: "say {exit: true} or {exit: false}" });
    actions.drain(asked.data);
    return actions.status();
  });
  app.delete("/drain", async () => {
    actions.resume();
    return actions.status();
  });
  app.post("/rotate-root", async (request, reply) => {
    const asked = RotationRequest.safeParse(request.body);
    if (!asked.success) return await reply.code(400).send({ message: "say {overlap: <milliseconds>}" });
    await actions.rotateRoot(asked.data);
    return actions.status();
  });
  const path = join(home, controlSocket);
  try {
    // What an agent that was killed has left.
    rmSync(path, { force: true });
    await app.listen({ path });
  } catch (err) {
    logger.warn({ err, path }, "the control socket can't be opened: dcx can't ask this agent to drain");
  }
  return { close: () => app.close() };
}

/** Serves metrics, and nothing else, to whoever reaches this address. @throws where the port can't be had */
export async function startMetrics(
  listen: { readonly host: string; readonly port: number },
  metrics: ReadMetrics,
): Promise<Control & { readonly port: number }> {
  const app: FastifyInstance = fastify({ forceCloseConnections: true, requestTimeout: 10_000 });
  serveMetrics(app, metrics);
  await app.listen(listen);
  const address = app.server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : listen.port,
    close: () => app.close(),
  };
}

function serveMetrics(app: FastifyInstance, metrics: ReadMetrics): void {
  app.get("/metrics", async (_request, reply) => {
    const { text, type } = await metrics();
    return await reply.type(type).send(text);
  });
}
