import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parallelisms, twoRegions } from "../../provider/src/testing/model-world";
import { capacity, deployment, type Program, workload } from "../../provider/src/testing/program";
import { Secret, type ValueMap } from "../../provider/src/wire/value";
import { AttachedStack, failureOf } from "../support/attached";

// With the highest verbosity of the engine, a real network and real keys: tests/secrets.spec.ts.

jest.setTimeout(600_000);

const programs: Readonly<Record<string, (fields: ValueMap) => Program>> = {
  inline: (fields) => ({ shop: deployment({ ...capacity(4), workloads: { w1: fields }, connections: {} }) }),
  separate: (fields) => ({ shop: deployment(capacity(4)), w1: workload("shop", fields) }),
};

describe.each(parallelisms)("secrets, under the real engine at parallelism %d", (parallel) => {
  test.each(Object.entries(programs))(
    "pitfall 3.9: they stay secret in the state file, messages and errors: %s",
    async (_form, form) => {
      const planted = `planted-${randomBytes(8).toString("hex")}`;
      const fields: ValueMap = {
        infrastructure: "west",
        container: { image: "web:1", credentials: { username: "me", password: new Secret(planted) } },
        environment: { KEY: new Secret(planted), PUBLIC: "seen-by-all" },
      };
      const network = twoRegions();
      const stack = await AttachedStack.create(network, { parallel, settings: { timeout: 5 } });
      const said: string[] = [];
      try {
        for (const operate of [
          () => stack.preview(form(fields)),
          () => stack.up(form(fields)),
          () => stack.refresh(),
          () => stack.preview(form({ ...fields, environment: { KEY: new Secret(`${planted}-2`) } })),
        ]) {
          const { text, diagnostics } = await operate();
          said.push(text, diagnostics);
        }
        said.push(await failureOf(stack.up(form({ ...fields, environment: { "no name": new Secret(planted) } }))));
        for (const holder of network.holders.values()) {
          holder.broken = "exit code 1";
        }
        said.push(await failureOf(stack.up(form({ ...fields, arguments: [new Secret(planted)] }))));
        expect(said.filter((text) => text.includes(planted))).toEqual([]);
        expect(filesWith(planted, join(stack.home, "backend"))).toEqual([]);
        // That a text is found there at all.
        expect(filesWith("seen-by-all", join(stack.home, "backend"))).not.toEqual([]);
      } finally {
        stack.close();
      }
    },
  );
});

function filesWith(text: string, folder: string): readonly string[] {
  const { status, stdout, stderr } = spawnSync("grep", ["-rlaF", text, folder], { encoding: "utf8" });
  // 1: found nothing. Anything above is grep's own failure.
  if (status === null || status > 1) {
    throw new Error(stderr);
  }
  return stdout.split("\n").filter((line) => line !== "");
}
