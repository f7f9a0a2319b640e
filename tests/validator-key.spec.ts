import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { readKeyFileText, signerFromPrivateKey } from "@dcx/protocol";
import { z } from "zod";
import { buildCometbft } from "./support/exchanges";
import { freePorts } from "./support/ports";
import { dcxCommand, eventually } from "./support/world";

jest.setTimeout(300_000);

const run = promisify(execFile);
const password = "a passphrase of the tests";
const patience = 120_000;

const Identity = z.object({ nodeId: z.string(), validatorKey: z.string() });
const KeyFile = z.object({ priv_key: z.object({ value: z.string() }) });
const Signed = z.object({ height: z.coerce.bigint() });
const Status = z.object({ result: z.object({ sync_info: z.object({ latest_block_height: z.coerce.bigint() }) }) });

/** A node under the real CometBFT whose key is on the disk encrypted only. */
describe("a validator's key", () => {
  let folder: string;
  let home: string;
  let cometbft: string;
  let secret: string;
  let port: number;
  let peerPort: number;
  let node: ChildProcess | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-validator-key-"));
    home = join(folder, "node");
    cometbft = await buildCometbft();
    [port = 0, peerPort = 0] = await freePorts(2);
    const { validatorKey } = Identity.parse(JSON.parse(await dcx(["node", "init", ...where(), "--json"])));
    const genesis = join(folder, "genesis.json");
    const { address } = await signerFromPrivateKey("5a".repeat(32));
    await dcx([
      ...["genesis", "create", "--chain-id", "dcx-key-1", "--account", `${address}=1000`, "--out", genesis],
      ...["--validator", `one=${validatorKey}`, "--parameter", "blockInterval=100"],
    ]);
    const again = await dcx(["node", "init", ...where(), "--genesis", genesis, "--json"]);
    expect(Identity.parse(JSON.parse(again)).validatorKey).toBe(validatorKey);
    const text = await readKeyFileText(keyFile(), () => password);
    secret = KeyFile.parse(JSON.parse(text)).priv_key.value;
  });

  afterEach(() => kill());

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const keyFile = () => join(home, "cometbft", "config", "priv_validator_key.json");
  const where = () => ["--home", home, "--cometbft", cometbft];
  const withPassword = (given: string | undefined) => ({ ...process.env, DCX_KEY_FILE_PASSWORD: given });

  async function dcx(command: readonly string[]): Promise<string> {
    return (await run(dcxCommand, [...command], { env: withPassword(password) })).stdout;
  }

  function start(given: string | undefined): ChildProcess {
    const log = openSync(join(folder, "node.log"), "a");
    const ports = ["--port", String(port), "--peer-host", "127.0.0.1", "--peer-port", String(peerPort)];
    node = spawn(dcxCommand, ["node", "start", ...where(), ...ports], {
      stdio: ["ignore", log, log],
      env: withPassword(given),
    });
    closeSync(log);
    return node;
  }

  async function kill(): Promise<void> {
    if (node === undefined || node.exitCode !== null || node.signalCode !== null) return;
    const gone = once(node, "exit");
    const engines = processes().filter(({ command }) => command.includes("cometbft\0start"));
    node.kill("SIGKILL");
    await gone;
    await eventually("its engine ends", patience, async () => engines.every(({ pid }) => !alive(pid)));
  }

  /** Processes that were started for this folder. */
  function processes() {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({ pid: Number(name), command: read(`/proc/${name}/cmdline`) }))
      .filter(({ command }) => command.includes(home));
  }

  async function height(): Promise<bigint | undefined> {
    const response = await fetch(`http://127.0.0.1:${port}/status`).catch(() => undefined);
    return response && Status.parse(await response.json()).result.sync_info.latest_block_height;
  }

  test("signs blocks, and is in no file, no argument and no environment", async () => {
    start(password);
    await eventually("it signs blocks", patience, async () => ((await height()) ?? 0n) > 3n);
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      expect([name, read(join(folder, name)).includes(secret)]).toEqual([name, false]);
    }
    const running = processes();
    expect(running.map(({ command }) => command.includes("cometbft\0start"))).toContain(true);
    for (const { pid, command } of running) {
      const environment = read(`/proc/${pid}/environ`);
      expect([command, command.includes(secret), environment.includes(secret)]).toEqual([command, false, false]);
      // What was given to the engine to read is empty once it has.
      const inherited = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
      const regular = inherited.filter((path) => fileOf(path).startsWith("/dev/shm/dcx-"));
      for (const path of regular) expect(readFileSync(path, "utf8")).toBe("");
      if (command.includes("cometbft\0start")) expect(environment).not.toContain(password);
    }
  });

  test("signs nothing twice after a kill", async () => {
    const state = join(home, "cometbft", "data", "priv_validator_state.json");
    const signed = () => Signed.parse(JSON.parse(readFileSync(state, "utf8"))).height;
    for (let life = 0; life < 3; life++) {
      const before = signed();
      start(password);
      await eventually("it signs further blocks", patience, async () => ((await height()) ?? 0n) > before + 1n);
      await kill();
      expect(signed()).toBeGreaterThan(before);
    }
  });

  test.each([
    { what: "another password", given: "not the passphrase", says: "the password is not its password" },
    { what: "none", given: undefined, says: "DCX_KEY_FILE_PASSWORD" },
  ])("does not start with $what", async ({ given, says }) => {
    const before = read(join(folder, "node.log")).length;
    const [code] = await once(start(given), "exit");
    expect(code).not.toBe(0);
    expect(read(join(folder, "node.log")).slice(before)).toContain(says);
  });

  test("that is in clear is encrypted in its place", async () => {
    const other = join(folder, "other");
    const init = ["node", "init", "--home", other, "--cometbft", cometbft, "--json"];
    const before = await dcx([...init, "--no-password"]);
    const path = join(other, "cometbft", "config", "priv_validator_key.json");
    const clear = readFileSync(path, "utf8");
    await dcx(["node", "encrypt-key", "--home", other]);
    expect(readFileSync(path, "utf8")).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----/);
    expect(JSON.parse(await readKeyFileText(path, () => password))).toEqual(JSON.parse(clear));
    expect(await dcx(init)).toBe(before);
    await expect(dcx(["node", "encrypt-key", "--home", other])).rejects.toThrow("encrypted already");
  });
});

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function fileOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
