import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import {
  ExecStart,
  execProtocol,
  type Frame,
  FrameError,
  readFrames,
  roomIn,
  TerminalSize,
  writeFrame,
} from "@dcx/protocol";
import type { Logger } from "pino";
import type { Execution } from "../runtime/execution";
import type { ObservedInstance, Runtime } from "../runtime/runtime";
import type { Authorization, Authorized } from "./authorization";
import { Refusal } from "./refusal";

/** Within which a caller has to say what it wants, in milliseconds. */
const patience = 10_000;
/** How often it is looked whether a caller may still do what it does, in milliseconds. */
const recheck = 5_000;
/** Commands of callers that run at a time in one instance. */
const mostInInstance = 16;

export interface ExecApiOptions {
  readonly authorization: Authorization;
  readonly runtime: Pick<Runtime, "open">;
  readonly knowsWorkload: (deployment: string, workload: string) => boolean;
  /** The instances of a workload, as of now. */
  readonly instances: (deployment: string, workload: string) => readonly ObservedInstance[];
  /** Aborted when the agent stops. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

const pattern = /^\/v1\/deployments\/([^/?]+)\/([^/?]+)\/workloads\/([^/?]+)\/exec$/;

/** Serves commands in instances (protocol: `agent/exec.ts`) on connections that ask to be upgraded for that. */
export function serveExec(server: Server, options: ExecApiOptions): void {
  const running = new Map<string, number>();
  server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on("error", () => stream.destroy());
    if (head.length > 0) stream.unshift(head);
    handle(request, stream, options, running).catch((error: unknown) => {
      if (stream.destroyed) return;
      if (!(error instanceof Refusal)) options.logger.error({ err: error }, "a command could not be served");
      const refusal = error instanceof Refusal ? error : new Refusal(500, "internal", "the agent failed");
      answer(stream, refusal);
    });
  });
}

async function handle(
  request: IncomingMessage,
  stream: Duplex,
  options: ExecApiOptions,
  running: Map<string, number>,
): Promise<void> {
  const found = pattern.exec(request.url ?? "");
  if (found === null || request.method !== "GET") throw new Refusal(404, "not-found", "the agent has no such resource");
  if (request.headers.upgrade !== execProtocol) {
    throw new Refusal(426, "upgrade", `this needs the upgrade to ${execProtocol}`);
  }
  const [tenant, sequence, workload] = found.slice(1).map(decoded);
  const about = {
    params: { tenant: tenant ?? "", sequence: sequence ?? "" },
    ip: request.socket.remoteAddress ?? "",
    headers: request.headers,
    method: request.method,
    raw: request,
    routeOptions: { url: "/v1/deployments/:tenant/:sequence/workloads/:name/exec" },
  };
  const { authorization, knowsWorkload, logger } = options;
  const authorized = await authorization.authorize(about, "exec", ["account"]);
  const { caller, deployment } = authorized;
  if (!authorized.held) {
    throw new Refusal(403, "no-lease", `this datacenter has no active lease of deployment ${deployment}`);
  }
  if (workload === undefined || !knowsWorkload(deployment, workload)) {
    throw new Refusal(404, "no-such-workload", `nothing called ${workload} is placed in this datacenter`);
  }
  stream.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${execProtocol}\r\n\r\n`);
  const frames = readFrames(stream);
  const late = setTimeout(() => stream.destroy(), patience);
  const start = await startOf(frames).finally(() => clearTimeout(late));
  const instance = start === undefined ? undefined : chosen(options.instances(deployment, workload), start.instance);
  if (start === undefined) return await fail(stream, "malformed", "the first frame has to say what to run");
  if (instance === undefined) {
    const which = start.instance === undefined ? "no instance" : `no instance ${start.instance}`;
    return await fail(stream, "no-such-instance", `${which} of ${workload} runs in this datacenter`);
  }
  const count = running.get(instance.id) ?? 0;
  if (count >= mostInInstance) {
    return await fail(stream, "too-many", `${mostInInstance} commands run there already; end one`);
  }
  running.set(instance.id, count + 1);
  try {
    // Its words are the tenant's: they may hold secrets.
    logger.info(
      { deployment, instance: instance.id, by: caller, terminal: start.terminal !== undefined },
      "command started",
    );
    await run(stream, frames, start, instance, authorized, options);
    logger.info({ deployment, instance: instance.id, by: caller }, "command ended");
  } finally {
    const left = (running.get(instance.id) ?? 1) - 1;
    if (left === 0) running.delete(instance.id);
    else running.set(instance.id, left);
  }
}

async function run(
  stream: Duplex,
  frames: AsyncGenerator<Frame, void, undefined>,
  { command, terminal }: ExecStart,
  instance: ObservedInstance,
  authorized: Authorized,
  { authorization, runtime, signal }: ExecApiOptions,
): Promise<void> {
  let execution: Execution;
  try {
    execution = await runtime.open(instance.id, { command, ...(terminal === undefined ? {} : { terminal }) });
  } catch (error) {
    return await fail(stream, "not-started", error instanceof Error ? error.message : "it could not be started");
  }
  const end = (): void => {
    execution.kill();
    stream.destroy();
  };
  stream.once("close", execution.kill);
  signal.addEventListener("abort", end, { once: true });
  const watch = setInterval(() => {
    if (!authorization.stillMay(authorized)) end();
  }, recheck);
  if (stream.destroyed) execution.kill();
  void listen(frames, execution).catch(end);
  try {
    const outputs = [send(stream, "stdout", execution.stdout)];
    if (execution.stderr !== undefined) outputs.push(send(stream, "stderr", execution.stderr));
    const [code] = await Promise.all([execution.exited, ...outputs]);
    await writeFrame(stream, "exit", { code });
    stream.end();
  } catch (error) {
    await fail(stream, "not-started", error instanceof Error ? error.message : "it could not be started");
  } finally {
    clearInterval(watch);
    signal.removeEventListener("abort", end);
    stream.off("close", execution.kill);
  }
}

/** Passes on what the caller sends, no faster than the command reads. */
async function listen(frames: AsyncGenerator<Frame, void, undefined>, execution: Execution): Promise<void> {
  const { stdin } = execution;
  // The command may have ended, or closed its input.
  stdin.on("error", () => undefined);
  for await (const { kind, payload } of frames) {
    if (kind === "stdin" && stdin.writable && !stdin.write(Buffer.from(payload))) {
      await roomIn(stdin);
    } else if (kind === "stdinEnd") stdin.end();
    else if (kind === "resize") {
      const size = TerminalSize.safeParse(json(payload));
      if (size.success) execution.resize(size.data);
    } else if (kind !== "stdin") throw new FrameError(`a caller sends no ${kind}`);
  }
}

async function send(stream: Duplex, kind: "stdout" | "stderr", output: AsyncIterable<Buffer>): Promise<void> {
  for await (const data of output) await writeFrame(stream, kind, data);
}

async function startOf(frames: AsyncGenerator<Frame, void, undefined>): Promise<ExecStart | undefined> {
  try {
    const { value } = await frames.next();
    return value?.kind === "start" ? ExecStart.safeParse(json(value.payload)).data : undefined;
  } catch {
    return undefined;
  }
}

function chosen(instances: readonly ObservedInstance[], index: number | undefined): ObservedInstance | undefined {
  return instances
    .filter(({ labels, state }) => state.phase === "running" && (index === undefined || labels.index === index))
    .sort((a, b) => a.labels.index - b.labels.index)[0];
}

async function fail(stream: Duplex, code: string, message: string): Promise<void> {
  await writeFrame(stream, "error", { code, message });
  stream.end();
}

/** As the rest of the interface refuses, on a connection that was not upgraded. */
function answer(stream: Duplex, refusal: Refusal): void {
  const body = JSON.stringify(refusal.body());
  const lines = [
    `HTTP/1.1 ${refusal.status} Refused`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  stream.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function json(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString("utf8"));
  } catch {
    return undefined;
  }
}
