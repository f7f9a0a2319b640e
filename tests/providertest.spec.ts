import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { z } from "zod";
import { expectNothingLeft } from "./support/checks";
import { root } from "./support/root";
import { World } from "./support/world";

jest.setTimeout(600_000);

/** The steps of tests/providertest/provider_test.go, each a test of the report. */
const steps = {
  TestInstalled: [
    "preview",
    "up",
    "the gRPC log",
    "preview without a change",
    "refresh without a change",
    "up without a change",
    "update in place",
    "destroy",
  ],
  TestAttached: ["up", "preview without a change", "destroy"],
};

const hasGo = spawnSync("go", ["version"], { stdio: "ignore" }).status === 0;
if (!hasGo) {
  process.stderr.write("There is no Go on the PATH: the tests through providertest are skipped.\n");
}

/** A line of `go test -json`. */
const Event = z.object({ Action: z.string(), Test: z.string().optional(), Output: z.string().optional() });

(hasGo ? describe : describe.skip)("through Pulumi's providertest", () => {
  const outcomes = new Map<string, string>();
  const output = new Map<string, string>();
  let all = "";

  beforeAll(async () => {
    const world = World.create();
    try {
      await world.startNetwork();
      all = await goTest(world);
      for (const line of all.split("\n").filter((one) => one.startsWith("{"))) {
        const { Action, Test = "", Output = "" } = Event.parse(JSON.parse(line));
        if (["pass", "fail", "skip"].includes(Action)) {
          outcomes.set(Test, Action);
        }
        output.set(Test, `${output.get(Test) ?? ""}${Output}`);
      }
      await expectNothingLeft(world);
    } finally {
      await world.close();
    }
  });

  const named = Object.entries(steps).flatMap(([test, parts]) => parts.map((part) => [test, part] as const));

  test.each(named)("%s: %s", (name, part) => {
    const full = `${name}/${part.replaceAll(" ", "_")}`;
    if (outcomes.get(full) !== "pass") {
      throw new Error(
        `${full}: ${outcomes.get(full) ?? "did not run"}\n${output.get(full) ?? output.get(name) ?? all}`,
      );
    }
  });

  test("every step of the Go test is named here", () => {
    const ran = [...outcomes.keys()].filter((name) => name.includes("/"));
    expect(ran.sort()).toEqual(named.map(([name, part]) => `${name}/${part.replaceAll(" ", "_")}`).sort());
  });
});

/** Standard output and error of the Go test. It may fail: each step says so itself. */
function goTest(world: World): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("go", ["test", "-json", "-count=1", "-timeout=9m", "./..."], {
      cwd: join(root, "tests", "providertest"),
      env: { ...process.env, ...world.environment, GOFLAGS: "-mod=readonly" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    child.stderr.on("data", (chunk) => {
      text += chunk;
    });
    child.on("error", reject);
    child.on("close", () => resolve(text));
  });
}
