import { execFileSync } from "node:child_process";
import { basename, join } from "node:path";
import Docker from "dockerode";
import { z } from "zod";
import { root } from "../support/root";
import { Namespace } from "./namespaces";

const tool = join(root, "tools", "container-engine.sh");

/** A container engine in a network of its own. */
export class OwnEngine {
  private constructor(
    readonly socket: string,
    readonly namespace: Namespace,
    private readonly folder: string,
    private readonly docker: Docker,
  ) {}

  static start(kind: "docker" | "podman", folder: string): OwnEngine {
    // What it leaves running must not hold this process's pipes.
    const socket = execFileSync(tool, ["start", folder, kind], { encoding: "utf8" }).trim();
    const name = `dcx-engine-${basename(folder).replace(/[^A-Za-z0-9]/g, "")}`;
    return new OwnEngine(socket, Namespace.existing(name), folder, new Docker({ socketPath: socket }));
  }

  /** The container that an agent runs this workload in. */
  async container(deployment: string, workload: string): Promise<Docker.Container> {
    const Labels = z.object({ deployment: z.string(), workload: z.string() });
    for (const { Id, Labels: labels } of await this.docker.listContainers()) {
      const own = Labels.safeParse(JSON.parse(labels["dcx.labels"] ?? "{}")).data;
      if (own?.deployment === deployment && own.workload === workload) return this.docker.getContainer(Id);
    }
    throw new Error(`no container runs ${workload} of ${deployment}`);
  }

  /**
   * Runs a command in the network of a container, in one of the same image, as root with the rights that the agent gives
   * to none. Resolves to the JSON object that it printed.
   */
  async asNetworkAdministrator(container: Docker.Container, command: readonly string[]): Promise<string> {
    const { Config, Id } = await container.inspect();
    const [program = "", ...rest] = command;
    const made = await this.docker.createContainer({
      Image: Config.Image,
      User: "0:0",
      Entrypoint: [program],
      Cmd: rest,
      HostConfig: { NetworkMode: `container:${Id}`, CapAdd: ["NET_ADMIN", "NET_RAW"] },
    });
    try {
      await made.start();
      const { StatusCode } = z.object({ StatusCode: z.number() }).parse(await made.wait());
      const log = String(await made.logs({ stdout: true, stderr: true }));
      if (StatusCode !== 0) throw new Error(log);
      // The engine puts its own bytes before what was printed.
      return log.slice(log.indexOf("{"));
    } finally {
      await made.remove({ force: true });
    }
  }

  /** Ends all that it runs, too: Podman's containers would go on without it. */
  async stop(): Promise<void> {
    await this.namespace.close();
    for (const { Id } of await this.docker.listContainers({ all: true })) {
      await this.docker.getContainer(Id).remove({ force: true });
    }
    execFileSync(tool, ["stop", this.folder], { stdio: "ignore" });
  }
}
