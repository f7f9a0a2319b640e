import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { expectNothingLeft } from "./support/checks";
import { inline, separate } from "./support/programs";
import { World } from "./support/world";

jest.setTimeout(600_000);

test.each([
  ["inline", inline],
  ["separate", separate],
])(
  "an environment secret occurs in no log, no error, no unencrypted state and nowhere on chain, %s",
  async (_form, program) => {
    const planted = `planted-${Math.random().toString(36).slice(2)}-secret`;
    const world = World.create();
    try {
      const secret = { "fn::secret": planted };
      const stack = await world.stack("secret", program({ apiEnvironment: { PASSWORD: secret } }));
      const up = await stack.up();
      expect(up.text + up.diagnostics).not.toContain(planted);
      expectOnlyInstancesToHold(planted, world.home);

      stack.write(program({ apiEnvironment: { PASSWORD: secret, "not a name": secret } }));
      const failure = await stack.up().catch((error: unknown) => String(error));
      expect(failure).toMatch(/not a name/);
      expect(failure).not.toContain(planted);
      expectOnlyInstancesToHold(planted, world.home);

      await stack.destroy();
      await expectNothingLeft(world);
      expect(filesWith(planted, world.home)).toEqual([]);
    } finally {
      await world.close();
    }
  },
);

/** What a sandbox hands to its process while that runs: in a folder that only the datacenter's user can enter. */
const handedToProcess = /\/runtime\/sandbox\/instances\/[0-9a-f]+\/environment$/;

/** Fails where anything but a process that runs with it has a text. */
function expectOnlyInstancesToHold(text: string, folder: string): void {
  const found = filesWith(text, folder);
  expect(found.filter((file) => !handedToProcess.test(file))).toEqual([]);
  expect(found.filter((file) => (statSync(dirname(file)).mode & 0o077) !== 0)).toEqual([]);
}

/** Files that hold a text in clear. The program itself does, as a user's own source would, and is left out. */
function filesWith(text: string, folder: string): readonly string[] {
  const result = spawnSync("grep", ["-rlaF", text, folder, "--exclude-dir=programs"], { encoding: "utf8" });
  // 1: found nothing. Anything above is grep's own failure.
  if (result.status === null || result.status > 1) {
    throw new Error(result.stderr);
  }
  return result.stdout.split("\n").filter((line) => line !== "");
}
