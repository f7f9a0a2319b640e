import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { type ExecStart, type Frame, readFrames, writeFrame } from "@dcx/protocol";
import pino from "pino";
import type { ExecOptions, Execution } from "../runtime/execution";
import type { ObservedInstance } from "../runtime/runtime";
import type { Authorization, Authorized } from "./authorization";
import { serveExec } from "./exec";
import { Refusal } from "./refusal";

const logger = pino({ level: "silent" });
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

function instance(index: number, phase: "running" | "failed" = "running"): ObservedInstance {
  const labels = { deployment: "t/1", infrastructure: "west", lease: "t/1/west/1", workload: "web", index };
  const state = phase === "running" ? { phase, startedAt: "", restarts: 0 } : { phase, message: "" };
  return { id: `web-${index}`, labels, digest: "", state, containerId: "" };
}

/** A command whose ends the test holds. */
class Command implements Execution {
  readonly stdin = new PassThrough({ highWaterMark: 1024 });
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly sizes: object[] = [];
  killed = false;
  exit: (code: number) => void = () => undefined;
  readonly exited = new Promise<number>((resolve) => {
    this.exit = (code) => {
      this.stdout.end();
      this.stderr.end();
      resolve(code);
    };
  });
  readonly resize = (size: object): void => void this.sizes.push(size);
  readonly kill = (): void => {
    this.killed = true;
    this.exit(137);
  };
}

async function agent(
  changes: { refuse?: Refusal; held?: boolean; instances?: ObservedInstance[]; open?: () => never } = {},
) {
  const commands: { id: string; options: ExecOptions; command: Command }[] = [];
  const asked: unknown[] = [];
  const stop = new AbortController();
  /** Whether the caller may go on. */
  const rights = { still: true };
  const authorization: Pick<Authorization, "authorize" | "stillMay"> = {
    authorize: async (_request, purpose, kinds) => {
      asked.push([purpose, kinds]);
      if (changes.refuse !== undefined) throw changes.refuse;
      const authorized: Authorized = {
        caller: { kind: "account", account: "t" },
        tenant: "t",
        sequence: 1n,
        deployment: "t/1",
        held: changes.held ?? true,
      };
      return authorized;
    },
    stillMay: () => rights.still,
  };
  const server = createServer();
  serveExec(server, {
    authorization: authorization as Authorization,
    runtime: {
      open: async (id, options) => {
        changes.open?.();
        const command = new Command();
        commands.push({ id, options, command });
        return command;
      },
    },
    knowsWorkload: (_, workload) => workload === "web",
    instances: () => changes.instances ?? [instance(1), instance(0)],
    signal: stop.signal,
    logger,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => server.close());
  const ask = async (path = "/v1/deployments/t/1/workloads/web/exec", upgrade = "dcx-exec") => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`);
    let head = "";
    while (!head.includes("\r\n\r\n")) {
      const [data] = await once(socket, "data");
      head += data;
    }
    return { socket, head, status: Number(head.slice(9, 12)) };
  };
  const start = async (what: Partial<ExecStart> = {}) => {
    const { socket, status } = await ask();
    expect(status).toBe(101);
    await writeFrame(socket, "start", { command: ["sh"], ...what });
    return { socket, frames: readFrames(socket) };
  };
  const command = async (at = 0) => {
    while (commands[at] === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    return commands[at];
  };
  return { ask, asked, command, rights, start, stop };
}

const ended = (socket: Socket) => (socket.closed ? Promise.resolve() : once(socket, "close"));
const shown = ({ kind, payload }: Frame) => `${kind} ${payload}`;

describe("a command in an instance", () => {
  it("is run for an account with a statement for it, in the first instance that runs, with its three streams", async () => {
    const { asked, command, start } = await agent({ instances: [instance(2), instance(0, "failed"), instance(1)] });
    const { frames, socket } = await start({ command: ["sh", "-c", "x"] });
    expect(asked).toEqual([["exec", ["account"]]]);
    const { command: run, id, options } = await command();
    expect({ id, options }).toEqual({ id: "web-1", options: { command: ["sh", "-c", "x"] } });
    await writeFrame(socket, "stdin", Buffer.from("typed"));
    await writeFrame(socket, "resize", { columns: 10, rows: 5 });
    expect(String((await once(run.stdin, "data"))[0])).toBe("typed");
    await writeFrame(socket, "stdinEnd", Buffer.alloc(0));
    await once(run.stdin, "end");
    expect(run.sizes).toEqual([{ columns: 10, rows: 5 }]);
    run.stdout.write("out");
    expect(shown((await frames.next()).value as Frame)).toBe("stdout out");
    run.stderr.write("err");
    expect(shown((await frames.next()).value as Frame)).toBe("stderr err");
    run.exit(3);
    expect(shown((await frames.next()).value as Frame)).toBe('exit {"code":3}');
    await ended(socket);
  });

  it("leaves nothing behind on the command's input each time that it waits for room", async () => {
    const { command, start } = await agent();
    const { socket } = await start();
    const { command: run } = await command();
    const block = Buffer.alloc(32 * 1024, 7);
    let read = 0;
    // It takes a moment for each.
    run.stdin.on("data", (data: Buffer) => {
      read += data.length;
      run.stdin.pause();
      setImmediate(() => run.stdin.resume());
    });
    for (let round = 0; round < 50; round += 1) await writeFrame(socket, "stdin", block);
    while (read < 50 * block.length) await once(run.stdin, "data");
    expect(run.stdin.listenerCount("close")).toBeLessThan(5);
    expect(run.stdin.listenerCount("drain")).toBeLessThan(5);
  });

  it("gets a terminal, and the instance, that were asked for", async () => {
    const { command, start } = await agent();
    await start({ instance: 1, terminal: { columns: 80, rows: 24, type: "xterm" } });
    expect(await command()).toMatchObject({
      id: "web-1",
      options: { command: ["sh"], terminal: { columns: 80, rows: 24, type: "xterm" } },
    });
  });

  it("ends when its caller goes away, and when the agent stops", async () => {
    const { command, start, stop } = await agent();
    const first = await start();
    const one = await command(0);
    first.socket.destroy();
    await one.command.exited;
    expect(one.command.killed).toBe(true);
    const second = await start();
    const other = await command(1);
    stop.abort();
    await ended(second.socket);
    expect(other.command.killed).toBe(true);
  });

  it.each<[string, Parameters<typeof agent>[0], string | undefined, string | undefined, number, string]>([
    ["a caller who is refused", { refuse: new Refusal(403, "purpose", "no") }, undefined, undefined, 403, "purpose"],
    ["a deployment without a lease here", { held: false }, undefined, undefined, 403, "no-lease"],
    ["an unknown workload", {}, "/v1/deployments/t/1/workloads/api/exec", undefined, 404, "no-such-workload"],
    ["another path", {}, "/v1/identity", undefined, 404, "not-found"],
    ["another protocol", {}, undefined, "websocket", 426, "upgrade"],
  ])("is refused to %s", async (_who, changes, path, upgrade, status, code) => {
    const { ask } = await agent(changes);
    const found = await ask(path, upgrade);
    expect(found.status).toBe(status);
    expect(found.head).toContain(`"${code}"`);
  });

  it.each<[string, Parameters<typeof agent>[0], object, string]>([
    ["the instance does not run", { instances: [instance(0, "failed")] }, {}, "no-such-instance"],
    ["there is no such instance", {}, { instance: 7 }, "no-such-instance"],
    ["nothing is to be run", {}, { command: [] }, "malformed"],
    [
      "it can't be started",
      {
        open: () => {
          throw new Error("no such program");
        },
      },
      {},
      "not-started",
    ],
  ])("is not run where %s", async (_why, changes, what, code) => {
    const { start } = await agent(changes);
    const { frames, socket } = await start(what);
    expect(shown((await frames.next()).value as Frame)).toContain(`"${code}"`);
    await ended(socket);
  });

  it("ends when its caller may no more, and not before", async () => {
    const { command, rights, start } = await agent();
    const { frames, socket } = await start();
    const { command: run } = await command();
    run.stdout.write("it runs");
    expect(shown((await frames.next()).value as Frame)).toBe("stdout it runs");
    expect(run.killed).toBe(false);
    rights.still = false;
    socket.resume();
    await ended(socket);
    expect(run.killed).toBe(true);
  });

  it("ends with what is no frame, or none of a caller's", async () => {
    const { command, start } = await agent();
    const first = await start();
    const one = await command(0);
    first.socket.write(Buffer.alloc(64, 0xff));
    await ended(first.socket);
    await one.command.exited;
    expect(one.command.killed).toBe(true);
    const second = await start();
    await command(1);
    await writeFrame(second.socket, "exit", { code: 0 });
    await ended(second.socket);
  });

  it("is not run beside sixteen others in one instance", async () => {
    const { command, start } = await agent({ instances: [instance(0)] });
    for (let at = 0; at < 16; at++) await start();
    await command(15);
    const { frames } = await start();
    expect(shown((await frames.next()).value as Frame)).toContain('"too-many"');
  });
});
