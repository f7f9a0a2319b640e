import fc from "fast-check";
import { FrameReader, FramingError, frame } from "./framing";

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((one, other) => one - other);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

describe("ABCI's frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 30 }), (all, places) => {
        const reader = new FrameReader(1_000);
        const stream = Buffer.concat(all.map(frame));
        const read = cut(stream, places).flatMap((chunk) => [...reader.push(chunk)].map((one) => Uint8Array.from(one)));
        expect(read).toEqual(all);
      }),
    );
  });

  it("are refused when they are longer than is allowed, before anything of them is kept", () => {
    expect(() => [...new FrameReader(1_000).push(Buffer.from(frame(new Uint8Array(1_001)).subarray(0, 3)))]).toThrow(
      FramingError,
    );
    expect(() => [...new FrameReader(1_000).push(Buffer.alloc(6, 0xff))]).toThrow(FramingError);
  });
});
