/** A program: what is behind the tunnel. The first byte of a connection says what is wanted of it. */
import { createServer } from "node:net";

export const wishes = { echo: "e", stream: "s" } as const;

const block = Buffer.alloc(1 << 18, 7);

const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on("error", () => undefined);
  socket.once("data", (first) => {
    if (first[0] === wishes.echo.charCodeAt(0)) {
      socket.write(first.subarray(1));
      socket.pipe(socket);
      return;
    }
    const more = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on("drain", more);
    more();
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => process.send?.("listening"));
process.on("disconnect", () => process.exit(0));
