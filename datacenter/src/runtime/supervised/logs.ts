import { watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { idle, LogLine, withJoined } from "@dcx/protocol";
import type { LogOptions } from "../runtime";

const Line = LogLine.pick({ stream: true, time: true, line: true });
export type Line = Pick<LogLine, "stream" | "time" | "line">;

/** Reads what a supervisor logs: `previous`, then `current`, and on request what comes. */
export async function* readLogs(folder: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Line> {
  const current = await openOrNothing(join(folder, "current"));
  try {
    const previous = await readWhole(join(folder, "previous"));
    const reader = { file: current, position: 0, rest: Buffer.alloc(0) };
    const kept = [...parseLines(previous), ...(await readNew(reader))];
    yield* options.tail === undefined ? kept : kept.slice(Math.max(0, kept.length - options.tail));
    if (!options.follow) {
      return;
    }
    yield* follow(folder, reader, signal);
  } finally {
    await current?.close();
  }
}

interface Reader {
  file: FileHandle | undefined;
  position: number;
  /** What may be the beginning of a line. */
  rest: Buffer;
}

async function* follow(folder: string, reader: Reader, signal: AbortSignal): AsyncGenerator<Line> {
  let changed = new AbortController();
  const wake = (): void => changed.abort();
  const watcher = watch(folder, wake);
  // The folder goes with its instance.
  let gone = false;
  watcher.on("error", () => {
    gone = true;
    wake();
  });
  const first = reader.file;
  try {
    while (!signal.aborted && !gone) {
      changed = new AbortController();
      const { signal: woken } = changed;
      yield* await readNew(reader);
      const newer = await openOrNothing(join(folder, "current"));
      if (newer === undefined && (await reader.file?.stat())?.nlink === 0) {
        return;
      }
      if (newer !== undefined && (await isSame(newer, reader.file))) {
        await newer.close();
      } else if (newer !== undefined) {
        yield* await readNew(reader);
        if (reader.file !== first) {
          await reader.file?.close();
        }
        reader.file = newer;
        reader.position = 0;
        reader.rest = Buffer.alloc(0);
        continue;
      }
      // A change between two looks is caught by the next one at the latest.
      await withJoined([signal, woken], (ended) => idle(1_000, ended));
    }
  } finally {
    watcher.close();
    if (reader.file !== first) {
      await reader.file?.close();
    }
  }
}

async function isSame(one: FileHandle, other: FileHandle | undefined): Promise<boolean> {
  return other !== undefined && (await one.stat()).ino === (await other.stat()).ino;
}

async function readNew(reader: Reader): Promise<Line[]> {
  if (reader.file === undefined) {
    return [];
  }
  const parts: Buffer[] = [];
  const buffer = Buffer.alloc(64 * 1024);
  for (;;) {
    const { bytesRead } = await reader.file.read(buffer, 0, buffer.length, reader.position);
    if (bytesRead === 0) {
      break;
    }
    reader.position += bytesRead;
    parts.push(Buffer.from(buffer.subarray(0, bytesRead)));
  }
  const bytes = Buffer.concat([reader.rest, ...parts]);
  const end = bytes.lastIndexOf("\n") + 1;
  reader.rest = bytes.subarray(end);
  return parseLines(bytes.toString("utf8", 0, end));
}

/** What a full disk, or a machine that lost its power, has left of a line is passed over. */
function parseLines(text: string): Line[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [Line.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

async function openOrNothing(path: string): Promise<FileHandle | undefined> {
  return open(path, "r").catch(() => undefined);
}

async function readWhole(path: string): Promise<string> {
  const file = await openOrNothing(path);
  try {
    return (await file?.readFile("utf8")) ?? "";
  } finally {
    await file?.close();
  }
}
