/**
 * A program that runs in a network of its own: the tunnel between two overlays, the one between two Envoys, the service
 * that both lead to, and the load. It measures what it is asked for, and ends with who asks.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { agentNodeFlags } from "@dcx/protocol";
import { z } from "zod";
import { type Identity, identityOf, leafOf, uriOf } from "./certificates";
import { type EnvoyEnd, envoyConfiguration } from "./envoy-configuration";
import type { Kind, Order } from "./load";
import type { EndSettings } from "./overlay-end";

export interface Question {
  readonly way: "overlay" | "envoy";
  readonly kind: Kind;
}

const servicePort = 9_000;
const door = { address: "127.77.0.1", port: 9_001 };
const envoyPorts = { source: 9_101, target: 9_102 };
const duration = 1_500;

const [folder = "", envoy = ""] = process.argv.slice(2);
const children: ChildProcess[] = [];
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function start(command: string, ...rest: readonly string[]): ChildProcess {
  const child = spawn(command, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.push(child);
  child.once("exit", (code, signal) => fail(new Error(`${rest[0]} ended with ${signal ?? code}`)));
  return child;
}

const program = (name: string, ...rest: readonly string[]) => start(process.execPath, fileOf(name), ...rest);

const fileOf = (name: string) => join(__dirname, `${name}.js`);

async function startEnd(settings: EndSettings): Promise<string> {
  const child = start(process.execPath, ...agentNodeFlags, fileOf("overlay-end"));
  child.send(settings);
  const [address] = await once(child, "message");
  return z.string().parse(address);
}

function startEnvoy(name: string, end: EnvoyEnd): void {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify(envoyConfiguration(end)), { mode: 0o600 });
  start(envoy, "-c", file, "--disable-hot-restart", "--log-level", "error");
}

async function startEnvoys(web: Identity, api: Identity): Promise<void> {
  const [own, other] = await Promise.all([leafOf(web), leafOf(api)]);
  startEnvoy("target", {
    ...{ listen: envoyPorts.target, to: servicePort, tls: "listener" },
    ...{ certificate: other.certificate, key: other.key, root: web.root.certificate, peer: uriOf(web) },
  });
  startEnvoy("source", {
    ...{ listen: envoyPorts.source, to: envoyPorts.target, tls: "cluster" },
    ...{ certificate: own.certificate, key: own.key, root: api.root.certificate, peer: uriOf(api) },
  });
  while (!(await answers(envoyPorts.source))) await new Promise((resolve) => setTimeout(resolve, 100));
}

/** Whether the service answers through this port. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write("e?"));
    socket.once("data", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}

async function main(): Promise<void> {
  execFileSync("ip", ["link", "set", "lo", "up"]);
  const [web, api] = await Promise.all([identityOf("west", "web"), identityOf("east", "api")]);
  await once(program("service", String(servicePort)), "message");
  for (const name of ["west", "east"]) mkdirSync(join(folder, name));
  const target = { role: "target", own: api, other: web, home: join(folder, "east"), port: servicePort } as const;
  const agent = await startEnd(target);
  await startEnd({
    role: "source",
    own: web,
    other: api,
    home: join(folder, "west"),
    at: door,
    agent,
    port: servicePort,
  });
  await startEnvoys(web, api);
  const load = program("load");
  process.on("message", ({ way, kind }: Question) => {
    const at =
      way === "overlay" ? { host: door.address, port: door.port } : { host: "127.0.0.1", port: envoyPorts.source };
    const order: Order = { kind, ...at, duration };
    load.once("message", (answer) => process.send?.(answer));
    load.send(order);
  });
  process.send?.("ready");
}

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}

// Envoy ends with nobody else.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
process.on("disconnect", () => process.exit(0));
main().catch(fail);
