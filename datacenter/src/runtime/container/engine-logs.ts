import { Readable } from "node:stream";
import type Docker from "dockerode";
import type { LogOptions } from "../runtime";
import type { Line } from "../supervised/logs";
import { ignoreMissing, readable } from "./engine-answers";

/** Milliseconds from the end of one run's log to asking for the next one's. */
const betweenRuns = 250;

/** Takes an engine's log apart: frames of eight bytes' head, lines that begin with a time. */
async function* parseEngineLog(stream: Readable): AsyncGenerator<Line> {
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

/** The lines of a container's log; with `follow` over all its runs, until it is gone or the signal aborts. */
export async function* readEngineLogs(
  container: Docker.Container,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  // Of the last line that was handed on, and how many have had it: Podman counts in whole seconds.
  let last = "";
  let atLast = 0;
  for (let again = false; ; again = true) {
    const request = { stdout: true, stderr: true, timestamps: true };
    const tail = again ? {} : options.tail === undefined ? {} : { tail: options.tail };
    const since = last === "" ? {} : { since: Math.floor(Date.parse(last) / 1000) - 1 };
    const stream = options.follow
      ? readable(await container.logs({ ...request, ...tail, ...since, follow: true }))
      : Readable.from([await container.logs({ ...request, ...tail, follow: false })]);
    const stop = () => stream.destroy();
    const before = last;
    let known = again ? atLast : 0;
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const line of parseEngineLog(stream)) {
        // What was read before comes again: the engine takes whole seconds as a beginning.
        if (again && (line.time < before || (line.time === before && known-- > 0))) {
          continue;
        }
        atLast = line.time === last ? atLast + 1 : 1;
        last = line.time;
        yield line;
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    } finally {
      signal.removeEventListener("abort", stop);
      stream.destroy();
    }
    if (!options.follow || signal.aborted) {
      return;
    }
    // The stream ends with each run; the next one goes on where it ended.
    await new Promise((resolve) => setTimeout(resolve, betweenRuns));
    if ((await container.inspect().catch(ignoreMissing)) === undefined) {
      return;
    }
  }
}
