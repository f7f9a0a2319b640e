import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { z } from "zod";
import type { ExecOptions, Execution } from "../execution";
import { InstanceNetworks } from "../instance-networks";
import { NamespaceNetwork } from "../namespace-network";
import type {
  InstanceNetwork,
  InstanceSpecification,
  Limit,
  LogOptions,
  ObservedInstance,
  Runtime,
  VolumeMount,
} from "../runtime";
import type { Line } from "../supervised/logs";
import { containerOptions, type ProvidedVolume } from "./container-options";
import { ignoreMissing, readable } from "./engine-answers";
import { executeInContainer, openInContainer } from "./engine-exec";
import { presentInEngine, pullIntoEngine } from "./engine-images";
import { readEngineLogs } from "./engine-logs";
import { giveTo } from "./mapped-users";
import { ContainerObserver } from "./observed-container";
import { Restarts } from "./restarts";
import type { SizedVolumes } from "./sized-volumes";
import { UnstartedContainers } from "./unstarted";

export interface ContainerRuntimeOptions {
  readonly engine: Docker;
  readonly imageLayouts: readonly string[];
  /** Marks this agent's containers and volumes. */
  readonly datacenter: string;
  /** Command line of the network helper. */
  readonly networkHelper: readonly string[];
  readonly nsenter: string;
  /** Absent: volumes are the engine's own, without a bound. */
  readonly sizedVolumes?: SizedVolumes;
  /** The machine's user that root in containers is. Absent: root. */
  readonly rootUser?: number;
  /** Whether the engine itself starts again what ends, with growing delays. */
  readonly restarts: boolean;
  readonly logger: { warn(details: object, message: string): void };
}

const mark = "dcx.datacenter";
const stopSeconds = 10;
const retryDelay = 1000;

const Event = z.object({ status: z.string().optional() });

/**
 * Runs instances as containers of Docker or Podman on this machine. The engine keeps them running; all that is known of an
 * instance is in its container's labels.
 */
export class ContainerRuntime implements Runtime {
  readonly isolation = "container";
  /** Without sized volumes these have no bound; what is written elsewhere has. */
  readonly unenforced: readonly Limit[];
  readonly #options: ContainerRuntimeOptions;
  readonly #listeners = new Set<() => void>();
  readonly #networks = new InstanceNetworks();
  readonly #restarts: Restarts | undefined;
  readonly #unstarted: UnstartedContainers;
  readonly #observer = new ContainerObserver(
    (id, options, signal) => this.logs(id, options, signal),
    (container) => this.#restarts?.of(container) ?? 0,
  );
  #events: Readable | undefined;
  #closed = false;
  /** Whether the engine has a program that can be process 1 and pass signals on. */
  #init = true;

  /** Instances of this agent go on, or again where their volumes were missing. */
  static async open(options: ContainerRuntimeOptions): Promise<ContainerRuntime> {
    const runtime = new ContainerRuntime(options);
    if (options.sizedVolumes !== undefined) {
      await runtime.#recover(options.sizedVolumes);
    }
    return runtime;
  }

  private constructor(options: ContainerRuntimeOptions) {
    this.#options = options;
    const { datacenter, engine, logger, restarts } = options;
    const label = `${mark}=${datacenter}`;
    this.#restarts = restarts ? undefined : new Restarts({ engine, label, logger });
    this.#unstarted = new UnstartedContainers(engine, label);
    this.unenforced = options.sizedVolumes === undefined ? ["disk"] : [];
    void this.#follow();
  }

  async list(): Promise<readonly ObservedInstance[]> {
    const { datacenter, engine } = this.#options;
    const found = await engine.listContainers({ all: true, filters: { label: [`${mark}=${datacenter}`] } });
    const observed = await Promise.all(
      found.map(async ({ Id }) => {
        const container = await engine.getContainer(Id).inspect().catch(ignoreMissing);
        return container === undefined ? undefined : this.#observer.observe(container);
      }),
    );
    return observed.filter((instance) => instance !== undefined);
  }

  async pull(image: string, credentials?: { readonly username: string; readonly password: string }): Promise<string> {
    const { engine, imageLayouts } = this.#options;
    return (await pullIntoEngine(engine, imageLayouts, image, credentials)).digest;
  }

  async start(specification: InstanceSpecification): Promise<void> {
    const { datacenter, engine, imageLayouts } = this.#options;
    const image = await presentInEngine(engine, imageLayouts, specification.image);
    const provided = await Promise.all(specification.volumes.map((volume) => this.#provideVolume(volume, image.user)));
    const name = this.#name(specification.id);
    const create = containerOptions(specification, image, provided, {
      name,
      marks: { [mark]: datacenter },
      restarts: this.#options.restarts,
    });
    try {
      await this.#unstarted.starting(name, () => this.#run(create));
    } catch (error) {
      throw new Error(
        `instance ${specification.id} can't be started: ${error instanceof Error ? error.message : error}`,
        { cause: error },
      );
    }
  }

  async remove(id: string): Promise<void> {
    await this.#networks.close(id);
    const container = this.#container(id);
    const end = async () => {
      await container.stop({ t: stopSeconds }).catch(ignoreMissing);
      await container.remove({ force: true, v: true }).catch(ignoreMissing);
    };
    await (this.#restarts === undefined ? end() : this.#restarts.leave(container, end));
    // Somebody may have asked for it while the container ended.
    await this.#networks.close(id);
    this.#notify();
  }

  async removeVolume(volume: string): Promise<void> {
    this.#options.sizedVolumes?.remove(this.#volumeName(volume));
    await this.#options.engine.getVolume(this.#volumeName(volume)).remove().catch(ignoreMissing);
  }

  logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Line> {
    return readEngineLogs(this.#container(id), options, signal);
  }

  execute(id: string, command: readonly string[], timeout: number): Promise<number> {
    return executeInContainer(this.#container(id), command, timeout);
  }

  open(id: string, options: ExecOptions): Promise<Execution> {
    return openInContainer(this.#options.engine, this.#container(id), options);
  }

  async network(id: string): Promise<InstanceNetwork> {
    const { networkHelper, nsenter } = this.#options;
    const inspect = () => this.#container(id).inspect();
    const open = () =>
      new NamespaceNetwork(async () => {
        const { State } = await inspect();
        const file = `/proc/${State.Pid}/ns/net`;
        if (!State.Running || !existsSync(file)) {
          throw new Error(`the instance has no network (its container is ${State.Status})`);
        }
        return { key: `${State.Pid} ${State.StartedAt}`, enter: [nsenter, `--net=${file}`] };
      }, networkHelper);
    return await this.#networks.of(id, inspect, open);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#events?.destroy();
    this.#restarts?.close();
    this.#listeners.clear();
    await this.#networks.closeAll();
  }

  /** The folder or the engine's name of a volume, made where it is missing, that an instance of this user can write to. */
  async #provideVolume({ volume, path, size }: VolumeMount, user: string): Promise<ProvidedVolume> {
    const { datacenter, engine, rootUser = 0, sizedVolumes } = this.#options;
    const name = this.#volumeName(volume);
    const present = await engine.getVolume(name).inspect().catch(ignoreMissing);
    if (present === undefined && sizedVolumes !== undefined) {
      const source = sizedVolumes.provide(name, size);
      giveTo(source, user, rootUser);
      return { type: "bind", source, path };
    }
    // One that was made before there were sized ones keeps what is in it.
    await engine.createVolume({ Name: name, Labels: { [mark]: datacenter } });
    giveTo((present ?? (await engine.getVolume(name).inspect())).Mountpoint, user, rootUser);
    return { type: "volume", source: name, path };
  }

  /** Starts what the engine could not since the machine's last start, because its volumes were not mounted. */
  async #recover(sizedVolumes: SizedVolumes): Promise<void> {
    const { datacenter, engine, logger } = this.#options;
    sizedVolumes.mountAll((volume, error) =>
      logger.warn({ volume, error: String(error) }, "a volume can't be mounted"),
    );
    if (this.#restarts !== undefined) return;
    const filters = { label: [`${mark}=${datacenter}`], status: ["exited"] };
    for (const { Id } of await engine.listContainers({ all: true, filters })) {
      await engine
        .getContainer(Id)
        .start()
        .catch(ignoreMissing)
        .catch((error) => logger.warn({ container: Id, error: String(error) }, "an instance can't be started again"));
    }
  }

  /** Creates and starts a container; leaves none that did not start. */
  async #run(create: Docker.ContainerCreateOptions): Promise<void> {
    const { engine, logger } = this.#options;
    let container: Docker.Container | undefined;
    try {
      // As process 1 a program that does not handle SIGTERM would go on until the engine kills it.
      container = await engine.createContainer({ ...create, HostConfig: { ...create.HostConfig, Init: this.#init } });
      await container.start();
    } catch (error) {
      await container?.remove({ force: true }).catch(ignoreMissing);
      // Podman says so when it creates, Docker when it starts a container.
      if (this.#init && /\b(container-init|docker-init|catatonit)\b/.test(String(error))) {
        logger.warn(
          { error: String(error) },
          "the engine has no init program (catatonit or tini): what ignores SIGTERM ends late",
        );
        this.#init = false;
        await this.#run(create);
        return;
      }
      throw error;
    }
  }

  /** Tells of what the engine reports, for as long as this is open. */
  async #follow(): Promise<void> {
    const { datacenter, engine, logger } = this.#options;
    while (!this.#closed) {
      try {
        const events = readable(
          await engine.getEvents({ filters: { type: ["container"], label: [`${mark}=${datacenter}`] } }),
        );
        this.#events = events;
        // An engine that goes away breaks it off at any time, also while nobody reads.
        const lines = createInterface({ input: events.on("error", () => undefined) });
        lines.on("error", () => undefined);
        // From here on none is missed.
        const heard = lines[Symbol.asyncIterator]();
        if (this.#closed) {
          events.destroy();
        }
        this.#notify();
        await this.#unstarted.remove();
        await this.#restarts?.look();
        if (events.destroyed) throw new Error("it closed the connection");
        for await (const line of heard) {
          this.#notify();
          const { status } = Event.parse(JSON.parse(line));
          if (status === "create") await this.#unstarted.remove();
          if (status === "die") await this.#restarts?.look();
        }
      } catch (error) {
        if (!this.#closed) {
          logger.warn({ error: String(error) }, "the container engine does not report events");
        }
      } finally {
        this.#events?.destroy();
      }
      if (!this.#closed) {
        await new Promise((resolve) => setTimeout(resolve, retryDelay));
      }
    }
  }

  #notify(): void {
    this.#networks.refresh();
    for (const listener of this.#listeners) {
      listener();
    }
  }

  #container(id: string): Docker.Container {
    return this.#options.engine.getContainer(this.#name(id));
  }

  #name(id: string): string {
    return `dcx-${hash(`${this.#options.datacenter}\n${id}`)}`;
  }

  #volumeName(volume: string): string {
    return `dcx-${hash(`${this.#options.datacenter}\n${volume}`)}`;
  }
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
