import type { Server } from "node:https";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import type { Records } from "../home/home";

/**
 * Listens where it listened before the restart, so that what others know of it stays true; where that port is taken by
 * now, on another one. Resolves to the port.
 * @param name under which the port is remembered
 */
export async function listenAgain(
  server: FastifyInstance<Server>,
  records: Records,
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  logger: Logger,
): Promise<number> {
  const remembered = Number(records.get(name)?.toString("utf8") ?? 0);
  try {
    await server.listen({ host, port: port === 0 ? remembered : port });
  } catch (error) {
    if (port !== 0 || remembered === 0) throw error;
    logger.warn({ err: error, port: remembered }, "the port that the agent had is taken; it takes another");
    await server.listen({ host, port: 0 });
  }
  const address = server.server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  records.put(name, Buffer.from(String(bound)));
  return bound;
}
