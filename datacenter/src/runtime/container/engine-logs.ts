import type { Readable } from "node:stream";
import type { Line } from "../supervised/logs";

/** Takes an engine's log apart: frames of eight bytes' head, lines that begin with a time. */
export async function* parseEngineLog(stream: Readable): AsyncGenerator<Line> {
  let buffer = Buffer.alloc(0);
  const rest = { stdout: "", stderr: "" };
  for await (const chunk of stream) {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 8) {
      const size = buffer.readUInt32BE(4);
      if (buffer.length < 8 + size) {
        break;
      }
      const name = buffer[0] === 2 ? "stderr" : "stdout";
      const lines = (rest[name] + buffer.toString("utf8", 8, 8 + size)).split("\n");
      buffer = buffer.subarray(8 + size);
      rest[name] = lines.pop() ?? "";
      yield* lines.map((line) => parseLine(name, line));
    }
  }
}

function parseLine(stream: "stdout" | "stderr", text: string): Line {
  const space = text.indexOf(" ");
  return { stream, time: text.slice(0, space), line: text.slice(space + 1).replace(/\r$/, "") };
}
