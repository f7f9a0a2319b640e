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

/** A command in place of CometBFT's that says these lines and does what comes `then`. */
function engineThatSays(lines: readonly string[], then: string, first = "") {
  const cometbft = join(folder, "cometbft");
  const says = lines.map((line) => `echo '${line}'`).join("\n");
  writeFileSync(cometbft, `#!/bin/sh\n${first}\n${says}\n${then}\n`, { mode: 0o755 });
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
    "exit 1",
  );
  expect(await engine.gone).toBe(
    "ended with exit code 1: dialing failed: connection refused; ERROR: failed to start node: bind: address already in use",
  );
});

it("says so where it has no words", async () => {
  expect(await engineThatSays([], "exit 3").gone).toBe("ended with exit code 3");
});

describe("a CometBFT that can't go on, and whose process stays", () => {
  const wrong = "wrong Block.Header.AppHash.  Expected 22B8, got 95C4";

  it.each([
    { said: { module: "consensus", _msg: "CONSENSUS FAILURE!!!", err: "app hash mismatch" } },
    { said: { module: "blocksync", _msg: "Error in validation", err: wrong } },
  ])("is ended, also where it does not listen: $said._msg", async ({ said }) => {
    const line = JSON.stringify({ level: "error", ...said });
    const engine = engineThatSays([line], "while :; do sleep 0.1; done", "trap '' TERM");
    expect(await engine.gone).toBe(
      `came to another state than the other validators (CONSENSUS FAILURE) and was ended by SIGKILL: ${said._msg}: ${said.err}. \`dcx node check\` says what is wrong with the state; begin anew with the keys, as docs/operate.md says`,
    );
  });

  it.each([
    { module: "blocksync", _msg: "Error in validation", err: "wrong Header.DataHash. Expected 22B8, got 95C4" },
    { module: "p2p", _msg: "Stopping peer for error", err: wrong },
  ])("goes on where a peer is wrong: $module, $err", async (said) => {
    const engine = engineThatSays([JSON.stringify({ level: "error", ...said })], "exit 0");
    expect(await engine.gone).toMatch(/^ended with exit code 0/);
  });
});
