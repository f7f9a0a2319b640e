import { rmSync } from "node:fs";
import { join } from "node:path";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { type ControlStatus, controlSocket, DrainRequest } from "./protocol";

export interface ControlActions {
  readonly status: () => ControlStatus;
  readonly drain: (options: { readonly exit: boolean }) => void;
  readonly resume: () => void;
}

export interface Control {
  close(): Promise<void>;
}

/**
 * Listens in the agent's home, whose mode keeps others out. An agent runs without it where the socket can't be had,
 * as where the folder's path is too long for one.
 */
export async function startControl(home: string, actions: ControlActions, logger: Logger): Promise<Control> {
  const app: FastifyInstance = fastify({ forceCloseConnections: true });
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
