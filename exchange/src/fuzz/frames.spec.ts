import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Request } from "cosmjs-types/tendermint/abci/types";
import fc from "fast-check";
import pino from "pino";
import { answer, type Served } from "../abci/answer";
import { FrameReader, FramingError, frame } from "../abci/framing";
import { serveAbci } from "../abci/serve";
import { Restore } from "../snapshots/restore";
import { Snapshots } from "../snapshots/snapshots";
import { damage, decisions, mutate } from "./testing/mutations";
import { type Prepared, prepareChain } from "./testing/prepared-chain";
import { count, patience, report, runs } from "./testing/runs";
import { shapeOf } from "./testing/shapes";

jest.setTimeout(patience);

/*
 * The engine is trusted: it decides what the chain is. What comes over its socket and makes no sense must end the node
 * with a word to the engine, not leave it hanging, and not as something that was decided.
 */
let prepared: Prepared;
let folder: string;
let served: Served;

beforeAll(() => {
  prepared = prepareChain();
  folder = mkdtempSync(join(tmpdir(), "dcx-frames-"));
  const { application } = prepared.chain;
  const snapshots = new Snapshots({
    folder: join(folder, "snapshots"),
    database: join(folder, "state"),
    interval: 0,
    logger: pino({ level: "silent" }),
  });
  served = { application, snapshots, restore: new Restore(application) };
});

afterAll(async () => {
  report("frames");
  await served.snapshots.close();
  await prepared.close();
  rmSync(folder, { recursive: true, force: true });
});

const stream = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(frame(bytes))),
    fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(
      Buffer.alloc(10, 0xff),
      Buffer.alloc(5, 0x80),
      Buffer.of(0),
      Buffer.of(0x80, 0x80, 0x80, 0x80, 0x10),
    ),
  ),
  { maxLength: 12 },
);

test("a reader of frames takes any stream apart the same way, however it is cut, or refuses it", () => {
  const read = (chunks: readonly Buffer[]): unknown[] => {
    const reader = new FrameReader(1_000);
    const frames: unknown[] = [];
    try {
      for (const chunk of chunks)
        for (const one of reader.push(chunk)) {
          expect(one.length).toBeLessThanOrEqual(1_000);
          frames.push(one.toString("hex"));
        }
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      frames.push("refused");
    }
    return frames;
  };
  fc.assert(
    fc.property(stream, (chunks) => {
      count();
      const whole = Buffer.concat(chunks);
      expect(read(chunks)).toEqual(read([whole]));
      expect(read([...whole].map((byte) => Buffer.of(byte)))).toEqual(read([whole]));
    }),
    runs(300),
  );
});

const request = fc
  .record({ named: fc.array(decisions, { minLength: 1, maxLength: 4 }), broken: fc.boolean() })
  .map(({ named, broken }) => {
    const shape = shapeOf("tendermint.abci.Request");
    const empty: Uint8Array = new Uint8Array();
    const made = named.reduce((bytes, one) => mutate(bytes, shape, one, []), empty);
    return broken ? damage(made, named.flat(), made) : made;
  });

test("a request is answered or refused at once; only what was finalized is ever committed", () => {
  const seen = new Set<string>();
  const { application } = prepared.chain;
  const info = () => application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
  fc.assert(
    fc.property(request, (bytes) => {
      count();
      const before = info();
      let finalized = false;
      let answered = false;
      try {
        const read = Request.decode(bytes);
        finalized = read.commit !== undefined;
        for (const kind of Object.keys(answer(served, read))) seen.add(kind);
        answered = true;
      } catch (error) {
        // Of Node's own realm, or of the tests'.
        expect(error).toHaveProperty("message");
      }
      if (!answered || !finalized) expect(info()).toEqual(before);
    }),
    runs(1_500),
  );
  for (const kind of ["info", "query", "checkTx", "prepareProposal", "processProposal", "offerSnapshot"])
    expect(seen).toContain(kind);
});

test("bytes over the socket are answered, or the connection ends with an exception and the node stops once", async () => {
  let sockets = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          request.map((bytes) => Buffer.from(frame(bytes))),
          fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
        ),
        { minLength: 1, maxLength: 5 },
      ),
      async (chunks) => {
        count();
        const socket = join(folder, `${sockets++}.sock`);
        const fatal: unknown[] = [];
        const server = await serveAbci(served, { socket, onFatal: (error) => fatal.push(error) });
        try {
          const said = await talk(socket, chunks);
          // Whole frames, whatever came in.
          const reader = new FrameReader(64 * 1024 * 1024);
          for (const one of reader.push(said)) expect(one.length).toBeGreaterThanOrEqual(0);
          expect(fatal.length).toBeLessThanOrEqual(1);
        } finally {
          await server.close();
        }
      },
    ),
    runs(80),
  );
});

/** Writes, says that there is no more, and reads to the end. */
function talk(path: string, chunks: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const said: Buffer[] = [];
    const socket = connect(path, () => {
      for (const chunk of chunks) socket.write(chunk);
      socket.end();
    });
    socket.setTimeout(20_000, () => socket.destroy(new Error("the socket hangs")));
    socket.on("data", (chunk: Buffer) => said.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(said)));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
  });
}
