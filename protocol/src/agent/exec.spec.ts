import { PassThrough } from "node:stream";
import fc from "fast-check";
import { type Frame, type FrameKind, frameKinds, longestFrame, readFrames, writeFrame } from "./exec";

async function* inPieces(data: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let turn = 0; at < data.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield data.subarray(at, at + size);
    at += size;
  }
}

const all = async (frames: AsyncIterable<Frame>) => {
  const found: Frame[] = [];
  for await (const frame of frames) found.push(frame);
  return found;
};

test("frames arrive as they were sent, however they are cut on the way", async () => {
  const frame = fc.record({
    kind: fc.constantFrom(...(Object.keys(frameKinds) as FrameKind[])),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 }),
      async (frames, sizes) => {
        const wire = new PassThrough({ highWaterMark: 1 << 20 });
        for (const { kind, payload } of frames) await writeFrame(wire, kind, payload);
        wire.end();
        const data = Buffer.concat(await wire.toArray());
        const found = await all(readFrames(inPieces(data, sizes)));
        expect(found.map(({ kind, payload }) => ({ kind, payload: [...payload] }))).toEqual(
          frames.map(({ kind, payload }) => ({ kind, payload: [...payload] })),
        );
      },
    ),
    { numRuns: 50 },
  );
});

test("what is longer than a frame may be goes in several; a longer one, or of no kind, is refused", async () => {
  const wire = new PassThrough({ highWaterMark: 1 << 22 });
  await writeFrame(wire, "stdin", Buffer.alloc(longestFrame + 1, 7));
  wire.end();
  const found = await all(readFrames(wire));
  expect(found.map(({ payload }) => payload.length)).toEqual([longestFrame, 1]);
  const tooLong = Buffer.from([1, 0xff, 0xff, 0xff, 0xff]);
  await expect(all(readFrames(inPieces(tooLong, [5])))).rejects.toThrow("no frame");
  await expect(all(readFrames(inPieces(Buffer.from([99, 0, 0, 0, 0]), [5])))).rejects.toThrow("no frame");
});
