import { getEventListeners } from "node:events";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLogs } from "./logs";

const entry = (line: string) => `${JSON.stringify({ time: "2026-01-01T00:00:00.000Z", stream: "stdout", line })}\n`;

describe("what a supervisor has logged", () => {
  let folder: string;
  const stop = new AbortController();
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dcx-logs-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("is read past what a full disk has left of a line", async () => {
    writeFileSync(join(folder, "previous"), `${entry("first")}\0\0\0\0\n`);
    writeFileSync(join(folder, "current"), `${entry("cut off").slice(0, 30)}${entry("lost with it")}${entry("last")}`);
    const lines: string[] = [];
    for await (const { line } of readLogs(folder, { follow: false }, stop.signal)) lines.push(line);
    expect(lines).toEqual(["first", "last"]);
  });

  it("is followed for as long as one likes without anything left behind on who ends it", async () => {
    const file = join(folder, "current");
    writeFileSync(file, entry("0"));
    const following = readLogs(folder, { follow: true }, stop.signal);
    for (let line = 0; line < 50; line += 1) {
      expect((await following.next()).value).toMatchObject({ line: String(line) });
      appendFileSync(file, entry(String(line + 1)));
    }
    expect(getEventListeners(stop.signal, "abort").length).toBeLessThan(5);
    await following.return(undefined);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  it("is followed in whole characters, wherever a line was when it was looked at", async () => {
    const file = join(folder, "current");
    const bytes = Buffer.from(entry("größer"));
    const cut = bytes.indexOf(0xc3) + 1;
    writeFileSync(file, Buffer.concat([Buffer.from(entry("before")), bytes.subarray(0, cut)]));
    const following = readLogs(folder, { follow: true }, stop.signal);
    expect((await following.next()).value).toMatchObject({ line: "before" });
    appendFileSync(file, bytes.subarray(cut));
    expect((await following.next()).value).toMatchObject({ line: "größer" });
    await following.return(undefined);
  });
});
