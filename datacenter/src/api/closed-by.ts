import type { FastifyReply } from "fastify";

/** Aborts when the caller goes away or the agent stops. */
export function closedBy(reply: FastifyReply, signal: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const end = (): void => {
    signal.removeEventListener("abort", end);
    gone.abort();
  };
  if (signal.aborted || reply.raw.closed) end();
  else signal.addEventListener("abort", end);
  reply.raw.once("close", end);
  return gone.signal;
}
