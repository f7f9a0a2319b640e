import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";

/** What this machine lacks for networks of our own, or undefined: a sentence for whoever reads why a test was skipped. */
export function missingForNamespaces(programs: readonly string[]): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const folders = (process.env["PATH"] ?? "").split(":").concat("/usr/sbin", "/sbin");
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(`${folder}/${program}`)));
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

/** A network namespace with a name, in which programs run that end with this. */
export class Namespace {
  readonly #children: ChildProcess[] = [];

  private constructor(
    readonly name: string,
    readonly own: boolean,
  ) {}

  static create(name: string): Namespace {
    execFileSync("ip", ["netns", "add", name]);
    const namespace = new Namespace(name, true);
    namespace.ip("link set lo up");
    return namespace;
  }

  /** One that somebody else made and removes. */
  static existing(name: string): Namespace {
    return new Namespace(name, false);
  }

  /** Runs `ip` inside. */
  ip(command: string): string {
    return this.run("ip", ...command.split(" "));
  }

  /** Makes it a router between its devices. */
  forwardPackets(): void {
    this.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  }

  run(...command: readonly string[]): string {
    return execFileSync("nsenter", [`--net=/run/netns/${this.name}`, ...command], { encoding: "utf8", stdio: "pipe" });
  }

  /** Starts a program inside and resolves with its first message. Its output is in the error when it ends before. */
  async start(...command: readonly string[]): Promise<{ readonly child: ChildProcess; readonly first: unknown }> {
    const child = spawn("nsenter", [`--net=/run/netns/${this.name}`, ...command], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#children.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data) => {
        said = `${said}${data}`.slice(-4000);
      });
    }
    const ended = once(child, "exit").then(() => {
      throw new Error(`${command.slice(0, 4).join(" ")} ended: ${said}`);
    });
    ended.catch(() => undefined);
    const [first] = await Promise.race([once(child, "message"), ended]);
    return { child, first };
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        const impatience = setTimeout(() => child.kill("SIGKILL"), 15_000);
        await ended;
        clearTimeout(impatience);
      }),
    );
    if (this.own) execFileSync("ip", ["netns", "delete", this.name]);
  }
}

/** Takes sockets from its parent, and joins each with one that it opens in its own network. */
const relay = `
  process.on("message", ({ host, port }, socket) => {
    if (socket === undefined) return;
    const there = require("net").connect({ host, port, allowHalfOpen: true });
    socket.allowHalfOpen = true;
    socket.on("error", () => there.destroy()); there.on("error", () => socket.destroy());
    socket.pipe(there); there.pipe(socket);
  });
  process.on("disconnect", () => process.exit(0));
  process.send("up");`;

/** Ways from this process's loopback interface to addresses in a namespace. */
export class Relays {
  readonly #servers: Server[] = [];

  private constructor(private readonly child: ChildProcess) {}

  static async start(namespace: Namespace): Promise<Relays> {
    return new Relays((await namespace.start(process.execPath, "-e", relay)).child);
  }

  /** A port here that leads there. */
  async to(host: string, port: number): Promise<number> {
    const server = createServer({ pauseOnConnect: true }, (socket) => this.child.send({ host, port }, socket));
    this.#servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }
}
