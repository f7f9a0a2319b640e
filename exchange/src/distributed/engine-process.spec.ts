import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { startEngine } from "./engine-process";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dcx-engine-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A command in place of CometBFT's that says these lines and ends. */
function engineThatSays(lines: readonly string[], exitCode: number) {
  const cometbft = join(folder, "cometbft");
  const says = lines.map((line) => `echo '${line}'`).join("\n");
  writeFileSync(cometbft, `#!/bin/sh\n${says}\nexit ${exitCode}\n`, { mode: 0o755 });
  return startEngine({
    home: folder,
    cometbft,
    application: join(folder, "application"),
    settings: {},
    logger: pino({ level: "silent" }),
  });
}

it("says why CometBFT ended: its own words, and no ordinary line of its log", async () => {
  const engine = engineThatSays(
    [
      '{"level":"info","_msg":"finalizing commit of block","height":7}',
      '{"level":"error","_msg":"dialing failed","err":"connection refused"}',
      "ERROR: failed to start node: bind: address already in use",
    ],
    1,
  );
  expect(await engine.gone).toBe(
    "ended with exit code 1: dialing failed: connection refused; ERROR: failed to start node: bind: address already in use",
  );
});

it("says so where it has no words", async () => {
  expect(await engineThatSays([], 3).gone).toBe("ended with exit code 3");
});
