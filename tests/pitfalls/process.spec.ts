import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { root } from "../support/root";
import { eventually } from "../support/world";

// What only a process of the plugin shows; the rest of the list is beside this and in provider/src/pitfalls.

jest.setTimeout(300_000);

const bundle = join(root, "provider", "dist", "bundle", "provider.cjs");
const started: number[] = [];

afterAll(() => {
  for (const pid of started) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is gone, as it should be.
    }
  }
});

interface Output {
  out: string;
  error: string;
}

function listen(child: ChildProcess): Output {
  const output = { out: "", error: "" };
  child.stdout?.on("data", (text) => {
    output.out += text;
  });
  child.stderr?.on("data", (text) => {
    output.error += text;
  });
  return output;
}

test("pitfall 1.3.1: the engine prints its version, or the Automation API would refuse it", () => {
  const version = execFileSync("pulumi", ["version"], {
    encoding: "utf8",
    env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  expect(version.trim()).toMatch(/^v?3\.\d+\.\d+/);
});

test("pitfall 1.3.2: SIGINT ends the plugin at once, with nothing on standard output but its port", async () => {
  const plugin = spawn(process.execPath, [bundle], { stdio: ["ignore", "pipe", "pipe"] });
  started.push(plugin.pid ?? 0);
  const output = listen(plugin);
  await eventually("the plugin to serve", 120_000, async () => output.out.includes("\n") && hasLoaded(plugin.pid ?? 0));
  const ended = once(plugin, "exit");
  const began = Date.now();
  plugin.kill("SIGINT");
  const [code, signal] = await ended;
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(Date.now() - began).toBeLessThan(5000);
  expect(output).toEqual({ out: expect.stringMatching(/^\d+\n$/), error: "" });
});

test("pitfall 1.3.11: the plugin ends by itself when the engine that started it is killed", async () => {
  const engine = createServer(() => {}).listen(0, "127.0.0.1");
  await once(engine, "listening");
  try {
    const bound = engine.address();
    const address = `127.0.0.1:${typeof bound === "object" ? bound?.port : ""}`;
    const parent = spawn("sh", ["-c", '"$0" "$@" & echo "plugin $!"; wait', process.execPath, bundle, address], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    started.push(parent.pid ?? 0);
    const output = listen(parent);
    const pid = await eventually("the plugin to serve", 120_000, async () => {
      const found = /^plugin (\d+)$/m.exec(output.out)?.[1];
      return /^\d+$/m.test(output.out) && found !== undefined ? Number(found) : undefined;
    });
    started.push(pid);
    await eventually("the plugin to watch", 120_000, async () => hasLoaded(pid));
    parent.kill("SIGKILL");
    await eventually("the plugin to end", 120_000, async () => !isAlive(pid));
  } finally {
    engine.close();
  }
});

test("pitfall 1.3.18: the schema marks its secrets, and Pulumi's own check finds nothing wrong with it", () => {
  const schema = join(root, "provider", "cmd", "pulumi-resource-dcx", "schema.json");
  const { provider, config } = JSON.parse(readFileSync(schema, "utf8"));
  for (const name of ["mnemonic", "privateKey", "namespaceKey"]) {
    expect(config.variables[name]).toMatchObject({ secret: true });
    expect(provider.inputProperties[name]).toMatchObject({ secret: true });
  }
  const said = execFileSync("pulumi", ["schema", "check", schema], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  expect(said).not.toMatch(/error/i);
});

/** Whether it has read what it loads after the port line, and so watches its parent: it opened the rest of the bundle. */
function hasLoaded(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // Sleeping, after it has used some time: state and utime of proc(5), counted after the command in parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "S" && Number(fields[11]) > 5;
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
