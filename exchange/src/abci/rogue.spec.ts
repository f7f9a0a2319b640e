import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Request } from "cosmjs-types/tendermint/abci/types";
import type { Served } from "./answer";
import { frame } from "./framing";
import { type AbciServer, serveAbci } from "./serve";

/** What a broken program of the node's own user does to the ABCI socket; nobody else reaches it. */
describe("the ABCI socket, to a rogue", () => {
  let folder: string;
  let server: AbciServer;
  const fatal: unknown[] = [];
  const unreadable: string[] = [];
  const sockets: Socket[] = [];
  /** Nothing of what comes here asks the application anything. */
  const served: Served = new Proxy({} as Served, { get: () => undefined });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-abci-"));
    server = await serveAbci(served, {
      socket: join(folder, "abci.sock"),
      onFatal: (error) => fatal.push(error),
      onUnreadable: ({ message }) => unreadable.push(message),
    });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    expect(fatal).toEqual([]);
    unreadable.length = 0;
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function open(): Socket {
    const socket = connect(join(folder, "abci.sock"));
    sockets.push(socket.on("error", () => undefined));
    return socket;
  }

  async function isServed(): Promise<void> {
    const socket = open();
    socket.write(frame(Request.encode({ echo: { message: "hello" } }).finish()));
    const [answer] = await once(socket, "data");
    expect(String(answer)).toContain("hello");
  }

  it.each<[string, Buffer, RegExp]>([
    ["oversized: a message of more than 128 MiB", Buffer.from([0xff, 0xff, 0xff, 0x7f]), /at most 134217728/],
    ["malformed: a length that never ends", Buffer.alloc(64, 0xff), /more than five bytes/],
    ["malformed: a message that is no request", Buffer.from([4, 0xff, 0xff, 0xff, 0xff]), /no request of ABCI/],
  ])("%s ends its connection, and nothing else", async (_what, bytes, reason) => {
    const socket = open();
    socket.write(bytes);
    socket.resume();
    await once(socket, "close");
    expect(unreadable).toEqual([expect.stringMatching(reason)]);
    await isServed();
  });

  it("half-open and slow: whoever sends half a message holds up nobody", async () => {
    const whole = frame(Request.encode({ echo: { message: "slow" } }).finish());
    const socket = open();
    socket.write(whole.subarray(0, 3));
    await isServed();
    socket.write(whole.subarray(3));
    const [answer] = await once(socket, "data");
    expect(String(answer)).toContain("slow");
  });
});
