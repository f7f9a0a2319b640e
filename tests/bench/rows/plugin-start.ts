import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../support/root";
import { type Bench, notMeasured, type Subject } from "../figure";
import { paired, timed } from "../measure";

const subject: Subject = {
  name: "plugin: start to port line",
  unit: "ms",
  against: "a bare `node -e 0`, start to end",
  goal: { better: "lower", aim: 2, gate: 3 },
};

/** From the start of what the engine starts, the launcher, to the line with the port. */
export const pluginStart: Bench = {
  names: () => [subject.name],
  async *run({ log }) {
    log(subject.name);
    try {
      const outcome = await paired(
        { pairs: 21, warmup: 2 },
        () => timed(untilPortLine),
        () => timed(untilBareNodeEnds),
      );
      yield { ...subject, outcome };
    } catch (error) {
      yield notMeasured(subject, error);
    }
  },
};

/** The plugin is stopped as the engine does it; only the way to the port line is waited for by whoever measures. */
async function untilPortLine(): Promise<void> {
  const launcher = join(root, "provider", "bin", "pulumi-resource-dcx");
  const plugin = spawn(launcher, [], { stdio: ["ignore", "pipe", "ignore"], env: environment() });
  try {
    await new Promise<void>((resolve, reject) => {
      let said = "";
      plugin.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        if (/^\d+\n/.test(said)) {
          resolve();
        }
      });
      plugin.once("error", reject);
      plugin.once("exit", () =>
        reject(new Error(`the plugin ended without a port line; it said ${JSON.stringify(said)}`)),
      );
    });
  } finally {
    plugin.kill("SIGKILL");
  }
}

function untilBareNodeEnds(): Promise<void> {
  return new Promise((resolve, reject) => {
    const bare = spawn(process.execPath, ["-e", "0"], { stdio: "ignore", env: environment() });
    bare.once("error", reject);
    bare.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`node -e 0 ended with ${code}`))));
  });
}

/** Both run on the Node that runs this. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, DCX_NODE: process.execPath };
}
