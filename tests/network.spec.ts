import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import type { EmbeddedNetwork } from "@dcx/protocol";
import { thin } from "./support/programs";
import { dcxCommand, eventually, World } from "./support/world";

jest.setTimeout(300_000);

interface Status {
  readonly state: string;
  readonly network?: EmbeddedNetwork;
}

describe("dcx network", () => {
  let world: World;
  const status = async (): Promise<Status> =>
    JSON.parse(
      await world.dcx("network", "status", "--json").catch((error: { stdout: string }) => error.stdout),
    ) as Status;

  beforeAll(() => {
    world = World.create();
  });
  afterAll(async () => world.close());

  test("there is none before it is started, and looking starts none", async () => {
    expect((await status()).state).toBe("absent");
    await expect(world.dcx("deployments")).rejects.toThrow(/dcx network start/);
    expect(world.processes()).toEqual([]);
  });

  test("a start that is cut short leaves no process that nobody knows of, and the next one succeeds", async () => {
    const starting = spawn(dcxCommand, ["network", "start"], { env: { ...process.env, ...world.environment } });
    const gone = once(starting, "exit");
    const agents = () => world.processes().filter(({ command }) => command.includes(" datacenter start "));
    await eventually("its last processes are there", 120_000, async () => agents().length === 2);
    starting.kill("SIGTERM");
    await gone;
    expect((await status()).state).toBe("absent");
    await eventually("what it started has ended", 120_000, async () => world.processes().length === 0);
  });

  test("two starts at once make one network", async () => {
    await Promise.all([world.startNetwork(), world.startNetwork()]);
    expect((await status()).state).toBe("running");
    expect(world.processes().filter(({ command }) => / (node|datacenter) start /.test(command))).toHaveLength(3);
  });

  test("stop ends every process and keeps the chain; start goes on with it", async () => {
    const { chainId, rpcUrl } = world.network;
    const height = await (await world.client()).height();
    await world.dcx("network", "stop");
    expect((await status()).state).toBe("stopped");
    expect(world.processes()).toEqual([]);
    await world.startNetwork();
    expect(world.network).toMatchObject({ chainId, rpcUrl });
    expect(await (await world.client()).height()).toBeGreaterThanOrEqual(height);
  });

  test("a process that merely has a recorded pid is neither taken for the network's nor signalled", async () => {
    await world.dcx("network", "stop");
    const stopped = world.network;
    const impostor = { ...stopped, node: { ...stopped.node, pid: process.pid } };
    writeFileSync(world.paths.descriptor, JSON.stringify(impostor));
    expect((await status()).state).toBe("stopped");
    await world.dcx("network", "stop");
    await world.startNetwork();
    expect((await status()).state).toBe("running");
  });

  test("a descriptor of a newer version is refused with what to do", async () => {
    const descriptor = readFileSync(world.paths.descriptor, "utf8");
    writeFileSync(world.paths.descriptor, JSON.stringify({ ...JSON.parse(descriptor), schema: 2 }));
    await expect(world.dcx("network", "status")).rejects.toThrow(/newer dcx/);
    writeFileSync(world.paths.descriptor, descriptor);
  });

  test("after a reset a stack's resources read as gone, and the next up makes them on the new network", async () => {
    const stack = await world.stack("reset", thin());
    await stack.up();
    const script =
      'process.stdin.on("data", (d) => console.log("heard " + d)); process.stdin.on("end", () => process.exit(4))';
    const command = ["exec", "1", "api", "--", "/usr/local/bin/node", "-e", script];
    expect(await dcxWithInput(command, "a word")).toEqual({ code: 4, output: "heard a word\n" });
    const events = (await world.dcx("events", "1", "api", "--json")).trim().split("\n");
    expect(events.map((line) => JSON.parse(line).state)).toEqual(expect.arrayContaining(["ready"]));
    const before = world.network.chainId;
    await world.dcx("network", "reset", "--yes");
    expect((await status()).state).toBe("absent");
    await stack.refresh();
    expect((await stack.resources()).some(({ urn }) => urn.endsWith("::hello"))).toBe(false);
    expect(world.processes()).toEqual([]);
    await stack.up();
    expect(world.network.chainId).not.toBe(before);
    await stack.destroy();
  });

  async function dcxWithInput(words: readonly string[], input: string): Promise<{ code: unknown; output: string }> {
    const child = spawn(dcxCommand, [...words], { env: { ...process.env, ...world.environment } });
    child.stdin.end(input);
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
    return { code, output };
  }

  test("reset asks, and without a terminal the answer is no", async () => {
    await expect(world.dcx("network", "reset")).rejects.toMatchObject({ code: 2 });
    expect((await status()).state).toBe("running");
  });

  test.each([["--help"], ["network", "--help"], ["logs", "--help"]])("dcx %s suffices", async (...words) => {
    expect(await world.dcx(...words)).toMatch(/Usage: dcx/);
  });

  test("asked wrongly it exits with 2", async () => {
    await expect(world.dcx("netwrok")).rejects.toMatchObject({ code: 2 });
  });
});
