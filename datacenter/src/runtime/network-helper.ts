/**
 * A program of its own: runs inside an instance's network and opens sockets there for the agent, to which it hands
 * them over the channel that Node gives a child process. So no byte of the traffic goes through it. It ends with the
 * agent. It imports nothing of ours, so that it runs as a single file (also from its source).
 */
import { connect, createServer, type Server, type Socket } from "node:net";

interface Request {
  readonly id: number;
  readonly listen?: { readonly address: string; readonly port: number };
  readonly dial?: number;
}

function reply(message: object, handle?: Server | Socket, then?: () => void): void {
  process.send?.(message, handle, {}, then);
}

function listen(id: number, { address, port }: { address: string; port: number }): void {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  // Until the agent has the listening socket this process may win the race for a connection: it hands that over too.
  server.on("connection", (socket) => reply({ id, accepted: true }, socket));
  server.once("error", (error) => reply({ id, error: error.message }));
  server.listen({ host: address, port, backlog: 1024 }, () => reply({ id }, server, () => server.close()));
}

function dial(id: number, port: number): void {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  // Nothing may be read here: it would be lost.
  socket.pause();
  socket.once("error", (error) => reply({ id, error: error.message }));
  socket.once("connect", () => reply({ id }, socket));
}

process.on("message", (request: Request) => {
  if (request.listen !== undefined) {
    listen(request.id, request.listen);
  } else if (request.dial !== undefined) {
    dial(request.id, request.dial);
  }
});
process.on("disconnect", () => process.exit(0));
reply({ id: 0 });
