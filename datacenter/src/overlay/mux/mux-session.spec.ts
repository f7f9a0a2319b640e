import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { flag, frameType, type Header, headerLength, writeHeader } from "./frames";
import { MuxSession } from "./mux-session";
import { firstWindow, type MuxStream, streamWindow } from "./mux-stream";

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function connection(): Promise<{ readonly here: Socket; readonly there: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const here = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", noDelay: true });
  const [there]: Socket[] = await once(server, "connection");
  if (there === undefined) throw new Error("there is no connection");
  sockets.push(here, there);
  return { here, there };
}

/** Two ends; the one that accepts does so by `onStream`. */
async function ends(onStream: (stream: MuxStream) => void) {
  const { here, there } = await connection();
  const goneAway = jest.fn();
  const closed = jest.fn();
  const server = new MuxSession(there, {
    client: false,
    onStream: (stream) => {
      stream.on("error", () => undefined);
      onStream(stream);
    },
  });
  const client = new MuxSession(here, { client: true, onGoAway: goneAway, onClose: closed });
  return { client, server, goneAway, closed, here };
}

const echo = (stream: MuxStream) => void stream.pipe(stream);

async function textOf(stream: MuxStream): Promise<string> {
  let text = "";
  for await (const data of stream) text += data;
  return text;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

it("carries many streams at once, each to its end, and keeps nothing of them", async () => {
  const { client, server } = await ends(echo);
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => {
      const stream = client.openStream();
      stream.end(`n${n}`);
      return textOf(stream);
    }),
  );
  expect(answers).toEqual(Array.from({ length: 500 }, (_, n) => `n${n}`));
  await until(() => client.size === 0 && server.size === 0);
});

it("carries more than a window, in pieces of any size, in the order in which it was sent", async () => {
  const { client } = await ends(echo);
  const sent = Array.from({ length: 60 }, (_, n) => Buffer.alloc(1 + n * 3_001, n));
  const stream = client.openStream();
  for (const piece of sent) stream.write(piece);
  stream.end();
  const received: Buffer[] = [];
  for await (const data of stream) received.push(data);
  expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
  expect(Buffer.concat(sent).length).toBeGreaterThan(2 * streamWindow);
});

it("sends no more than a window to one who does not read, and others go on", async () => {
  const slow: MuxStream[] = [];
  const { client } = await ends((stream) => {
    if (slow.length === 0) slow.push(stream);
    else echo(stream);
  });
  const stuck = client.openStream();
  stuck.on("error", () => undefined);
  let passed = 0;
  const block = Buffer.alloc(64 * 1024);
  const more = (): void => {
    stuck.write(block, (error) => {
      if (error !== null && error !== undefined) return;
      passed += block.length;
      more();
    });
  };
  more();
  await until(() => passed >= streamWindow);
  const other = client.openStream();
  other.end("goes on");
  await expect(textOf(other)).resolves.toBe("goes on");
  expect(passed).toBeLessThanOrEqual(streamWindow);
  // Once it is read it goes on as well.
  slow[0]?.resume();
  await until(() => passed > 4 * streamWindow);
});

it("passes on the end of one direction alone", async () => {
  const heard: string[] = [];
  const { client } = await ends((stream) => {
    stream.end("bye");
    stream.on("data", (data) => heard.push(String(data)));
  });
  const stream = client.openStream();
  await expect(textOf(stream)).resolves.toBe("bye");
  expect(stream.writable).toBe(false);
});

it("shows what was cut as cut, to both directions", async () => {
  const begun: MuxStream[] = [];
  const { client } = await ends((stream) => begun.push(stream));
  const stream = client.openStream();
  stream.write("x");
  await until(() => begun.length === 1);
  begun[0]?.destroy();
  await expect(once(stream, "close")).rejects.toThrow("the other end cut the flow");
  expect(stream.readableEnded).toBe(false);
});

it("goes on with the streams that there are when the other end wants no more, and ends with the last one", async () => {
  const { client, server, goneAway, closed } = await ends(echo);
  const stream = client.openStream();
  stream.write("a");
  await once(stream, "data");
  server.goAway();
  await until(() => goneAway.mock.calls.length === 1);
  client.end();
  expect(client.open).toBe(false);
  expect(() => client.openStream()).toThrow("takes no more streams");
  stream.write("b");
  expect(String((await once(stream, "data"))[0])).toBe("b");
  expect(closed).not.toHaveBeenCalled();
  stream.end();
  stream.resume();
  await until(() => closed.mock.calls.length === 1 && server.closed);
  expect(closed).toHaveBeenCalledWith(undefined);
});

it("tells of an answer to a ping, and cuts all streams when the connection goes", async () => {
  const { client, here } = await ends(echo);
  await new Promise<void>((resolve) => client.ping(resolve));
  const stream = client.openStream();
  const broken = once(stream, "close");
  here.destroy();
  await expect(broken).rejects.toThrow("the tunnel broke");
});

describe("a rogue on the other end is cut off", () => {
  /** A session that accepts streams and reads none of them, and how to send it anything. */
  async function victim() {
    const { here, there } = await connection();
    here.on("error", () => undefined);
    const closed = jest.fn();
    const session = new MuxSession(there, {
      client: false,
      onStream: (stream) => stream.on("error", () => undefined),
      onClose: closed,
    });
    const frame = (header: Partial<Header>, data = Buffer.alloc(0)): Buffer => {
      const bytes = Buffer.alloc(headerLength);
      writeHeader(bytes, 0, { type: frameType.data, flags: 0, stream: 1, length: data.length, ...header });
      return Buffer.concat([bytes, data]);
    };
    const opening = (stream: number) => frame({ type: frameType.windowUpdate, flags: flag.syn, stream });
    const reason = async (): Promise<string> => {
      await until(() => closed.mock.calls.length > 0);
      return String(closed.mock.calls[0]?.[0]);
    };
    return { here, there, session, frame, opening, reason };
  }

  it.each<[string, RegExp, (made: Awaited<ReturnType<typeof victim>>) => Buffer[]]>([
    ["another version", /version 80/, () => [Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]],
    ["a frame of no known type", /unknown type, 9/, ({ frame }) => [frame({ type: 9, length: 0 })]],
    ["a stream that is not its to open", /a stream that it may not, 2/, ({ opening }) => [opening(2)]],
    ["a stream without a number", /a stream that it may not, 0/, ({ opening }) => [opening(0)]],
    ["a stream twice", /a stream that it may not, 1/, ({ opening }) => [opening(1), opening(1)]],
    [
      "data after the end",
      /more than it may/,
      ({ opening, frame }) => [opening(1), frame({ flags: flag.fin }), frame({}, Buffer.from("x"))],
    ],
    [
      "more than the window",
      /more than it may/,
      ({ opening, frame }) => [
        opening(1),
        ...Array.from({ length: streamWindow / firstWindow }, () => frame({}, Buffer.alloc(firstWindow))),
        frame({}, Buffer.from("x")),
      ],
    ],
    ["a frame of 4 GiB", /more than it may/, ({ opening, frame }) => [opening(1), frame({ length: 2 ** 32 - 1 })]],
  ])("that sends %s", async (_what, why, attack) => {
    const made = await victim();
    for (const bytes of attack(made)) made.here.write(bytes);
    await expect(made.reason()).resolves.toMatch(why);
    expect(made.session.size).toBe(0);
    expect(made.there.destroyed).toBe(true);
  });

  it("that asks and does not read the answers", async () => {
    const { here, frame, reason } = await victim();
    const pings = Buffer.concat(
      Array.from({ length: 10_000 }, () => frame({ type: frameType.ping, flags: flag.syn, stream: 0 })),
    );
    const more = (): void => void (here.destroyed || here.write(pings, more));
    more();
    await expect(reason()).resolves.toMatch(/does not read/);
  });

  it("or waits, when it sends more in small pieces to all of its streams than is kept", async () => {
    const { here, there, frame, opening, session } = await victim();
    const single = Buffer.from("x");
    let sent = 0;
    for (let stream = 1; stream < 200; stream += 2) here.write(opening(stream));
    const pieces = Array.from({ length: 100 }, (_, n) => frame({ stream: 1 + 2 * n }, single));
    const round = Buffer.concat(Array.from({ length: 10 }, () => Buffer.concat(pieces)));
    const more = (): void => {
      sent += 1_000;
      here.write(round, (error) => error ?? more());
    };
    more();
    await until(() => there.isPaused());
    const kept = sent;
    expect(kept).toBeLessThan(1_000_000);
    expect(session.closed).toBe(false);
  });
});
