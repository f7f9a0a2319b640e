import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Isolation } from "@dcx/protocol";
import type { Seal } from "../../home/seal";
import type { ImageStore, UnpackedImage } from "../../images/store";
import type { ExecOptions, Execution } from "../execution";
import { InstanceNetworks, type OpenNetwork } from "../instance-networks";
import { isRunning } from "../processes";
import { restartDelays } from "../restart-delays";
import type { InstanceNetwork, InstanceSpecification, Limit, LogOptions, ObservedInstance, Runtime } from "../runtime";
import { executeInside, type InnerCommand, openInside } from "./inside";
import {
  fileName,
  type Instance,
  observedState,
  readControlGroups,
  readInstance,
  readSecrets,
  readState,
  type Secrets,
  type State,
  writeInstance,
} from "./instance-files";
import { type Line, readLogs } from "./logs";
import { Losses } from "./losses";
import { endSupervised, startSupervisor } from "./supervision";
import type { ControlGroup, Launch } from "./supervisor";

/** How one kind of isolation runs what the supervisor keeps running. */
export interface SupervisedMethod {
  readonly isolation: Isolation;
  readonly unenforced: readonly Limit[];
  /** Writes what it needs into the instance's folder and says what the supervisor is to do. */
  plan(
    specification: InstanceSpecification,
    image: UnpackedImage,
    folder: string,
    volumes: string,
  ): Promise<MethodLaunch>;
  /** How a command is run in the instance, under its limits. Throws where it does not run. */
  inside(folder: string, state: State, command: readonly string[], secrets: Secrets): Promise<InnerCommand>;
  network(folder: string, state: () => Promise<State>): OpenNetwork;
  /** Ends whatever may be left, besides the processes that the state names. */
  clear(groups: readonly ControlGroup[]): Promise<void>;
}

export type MethodLaunch = Pick<
  Launch,
  "holder" | "controlGroups" | "depth" | "command" | "arguments" | "environment" | "input" | "folder"
>;

export interface SupervisedRuntimeOptions {
  /** Folder of its own. */
  readonly home: string;
  readonly images: ImageStore;
  readonly method: SupervisedMethod;
  /** Milliseconds that an image stays after it was needed last. */
  readonly keepImages: number;
  readonly supervisor: readonly string[];
  /** For what is the tenant's own. */
  readonly seal: Seal;
  readonly logger: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
  };
}

// Rarely enough to cost nothing; often enough that a missed notification is no harm.
const pollInterval = 1000;
const cleanInterval = 3_600_000;
// An image has to stay between its pull and the start that it is for.
const leastKeep = 600_000;
const launchDefaults = {
  grace: 10_000,
  firstDelay: restartDelays.first,
  maximumDelay: restartDelays.most,
  settled: restartDelays.settled,
  logSize: 4 * 1024 * 1024,
};

/**
 * A runtime whose instances are kept by a supervisor process each. All that is known of an instance is in its folder,
 * so a new one of these finds what an earlier one has started.
 */
export class SupervisedRuntime implements Runtime {
  readonly isolation: Isolation;
  readonly unenforced: readonly Limit[];
  readonly #options: SupervisedRuntimeOptions;
  readonly #listeners = new Set<() => void>();
  readonly #networks = new InstanceNetworks();
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #busy = new Map<string, Promise<unknown>>();
  /** Of supervisors. */
  readonly #losses = new Losses();
  readonly #poll: NodeJS.Timeout;
  readonly #cleaning: NodeJS.Timeout;
  #seen = "";
  #closed = false;
  #cleaned: Promise<void> = Promise.resolve();

  private constructor(options: SupervisedRuntimeOptions) {
    this.#options = options;
    this.isolation = options.method.isolation;
    this.unenforced = options.method.unenforced;
    this.#poll = setInterval(() => this.#look(), pollInterval);
    this.#poll.unref();
    this.#cleaning = setInterval(() => this.#clean(), cleanInterval);
    this.#cleaning.unref();
  }

  /** Finds what runs already and starts again what should (after the machine was restarted, say). */
  static async open(options: SupervisedRuntimeOptions): Promise<SupervisedRuntime> {
    await mkdir(join(options.home, "instances"), { recursive: true, mode: 0o700 });
    await mkdir(join(options.home, "volumes"), { recursive: true, mode: 0o700 });
    const runtime = new SupervisedRuntime(options);
    await runtime.#resume();
    runtime.#clean();
    return runtime;
  }

  async list(): Promise<readonly ObservedInstance[]> {
    const observed = await Promise.all((await this.#folders()).map((folder) => this.#observe(folder)));
    return observed.filter((instance) => instance !== undefined);
  }

  async pull(image: string, credentials?: { readonly username: string; readonly password: string }): Promise<string> {
    const { digest } = await this.#options.images.pull(image, credentials);
    return digest;
  }

  start(specification: InstanceSpecification): Promise<void> {
    return this.#alone(specification.id, () => this.#start(specification));
  }

  remove(id: string): Promise<void> {
    return this.#alone(id, () => this.#remove(id));
  }

  async removeVolume(volume: string): Promise<void> {
    await rm(this.#volumeFolder(volume), { recursive: true, force: true });
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Line> {
    await this.#instance(id);
    yield* readLogs(join(this.#folder(id), "log"), options, signal);
  }

  async execute(id: string, command: readonly string[], timeout: number): Promise<number> {
    return await executeInside(await this.#inside(id, command), timeout);
  }

  async open(id: string, options: ExecOptions): Promise<Execution> {
    return await openInside(await this.#inside(id, options.command), options);
  }

  async network(id: string): Promise<InstanceNetwork> {
    const open = () => this.#options.method.network(this.#folder(id), () => this.#stateOf(id));
    return await this.#networks.of(id, () => this.#instance(id), open);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    clearInterval(this.#cleaning);
    await this.#cleaned;
    for (const watcher of this.#watchers.values()) {
      watcher.close();
    }
    this.#watchers.clear();
    this.#listeners.clear();
    await this.#networks.closeAll();
    await Promise.allSettled(this.#busy.values());
  }

  async #start(specification: InstanceSpecification): Promise<void> {
    const folder = this.#folder(specification.id);
    if ((await readInstance(folder)) !== undefined) {
      throw new Error(`instance ${specification.id} is there already`);
    }
    const image = await this.#options.images.get(specification.image);
    // What an earlier start that broke off has left.
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, "log"), { recursive: true, mode: 0o700 });
    try {
      for (const { volume } of specification.volumes) {
        await mkdir(this.#volumeFolder(volume), { recursive: true, mode: 0o755 });
      }
      const { id, labels, digest } = specification;
      const planned = await this.#options.method.plan(
        specification,
        image,
        folder,
        join(this.#options.home, "volumes"),
      );
      const instance: Instance = { id, labels, digest, imageDigest: image.digest };
      await writeInstance(folder, instance, { ...launchDefaults, ...planned }, this.#options.seal);
      await this.#supervise(folder, id);
    } catch (error) {
      await this.#remove(specification.id);
      throw new Error(
        `instance ${specification.id} can't be started: ${error instanceof Error ? error.message : error}`,
        { cause: error },
      );
    }
    this.#look();
  }

  async #supervise(folder: string, id: string): Promise<void> {
    const { seal, supervisor } = this.#options;
    await startSupervisor(supervisor, folder, await readSecrets(folder, id, seal));
  }

  async #remove(id: string): Promise<void> {
    const folder = this.#folder(id);
    await this.#networks.close(id);
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    this.#losses.forget(id);
    await this.#drop(folder);
    // Somebody may have asked for it while the instance ended.
    await this.#networks.close(id);
    this.#look();
  }

  /** Ends all processes of an instance, whatever state they are in. */
  async #end(folder: string): Promise<void> {
    await endSupervised(folder, launchDefaults.grace);
    await this.#options.method.clear(await readControlGroups(folder));
  }

  async #resume(): Promise<void> {
    for (const folder of await this.#folders()) {
      const instance = await readInstance(folder);
      if (instance !== undefined) await this.#alone(instance.id, () => this.#resumeIn(folder, instance.id));
      else await this.#drop(folder);
    }
    this.#look();
  }

  /** Starts a supervisor where there is none, and nothing where the instance has gone meanwhile. */
  async #resumeIn(folder: string, id: string): Promise<void> {
    if ((await readInstance(folder)) === undefined || isRunning((await readState(folder))?.supervisor)) return;
    await this.#end(folder);
    await this.#supervise(folder, id).catch(async (error: unknown) => {
      this.#options.logger.warn({ instance: id, error: String(error) }, "an instance can't be resumed; it is removed");
      // Whoever wants it starts it anew.
      await this.#drop(folder);
    });
  }

  async #drop(folder: string): Promise<void> {
    await this.#end(folder);
    await rm(folder, { recursive: true, force: true });
  }

  /** Of an instance whose supervisor was killed, as where memory is short. Nothing is done while it comes or goes. */
  #revive(id: string): void {
    const { logger } = this.#options;
    if (this.#closed || this.#busy.has(id) || !this.#losses.due(id, performance.now())) return;
    logger.warn({ instance: id }, "the supervisor of an instance is gone; both are started again");
    this.#alone(id, () => this.#resumeIn(this.#folder(id), id)).then(
      () => this.#look(),
      (error: unknown) => logger.warn({ instance: id, error: String(error) }, "an instance can't be started again"),
    );
  }

  /** Removes images that no instance runs from and none needed for a while. */
  #clean(): void {
    const { images, keepImages, logger } = this.#options;
    this.#cleaned = this.#cleaned
      .then(async () => {
        const instances = await Promise.all((await this.#folders()).map(readInstance));
        const inUse = new Set(instances.flatMap((instance) => (instance === undefined ? [] : [instance.imageDigest])));
        const removed = await images.clean(inUse, Date.now() - Math.max(keepImages, leastKeep));
        if (removed.length > 0) logger.info({ images: removed }, "images that nothing needed were removed");
      })
      .catch((error: unknown) => logger.warn({ error: String(error) }, "images could not be cleaned up"));
  }

  async #observe(folder: string): Promise<ObservedInstance | undefined> {
    const instance = await readInstance(folder);
    if (instance === undefined) {
      return undefined;
    }
    const state = await readState(folder);
    return {
      id: instance.id,
      labels: instance.labels,
      digest: instance.digest,
      imageDigest: instance.imageDigest,
      state: observedState(state),
      containerId: state?.run ?? "",
    };
  }

  /** Looks for changes that no watcher told of, and watches folders that are new. */
  #look(): void {
    void this.#compare().catch((error: unknown) =>
      this.#options.logger.warn({ error: String(error) }, "the instances' folders can't be read"),
    );
  }

  async #compare(): Promise<void> {
    for (const folder of await this.#folders()) {
      if (!this.#watchers.has(folder)) {
        this.#watch(folder);
      }
    }
    const instances = await this.list();
    for (const { id, state } of instances) if (state.phase === "failed") this.#revive(id);
    const seen = JSON.stringify(instances);
    if (seen === this.#seen) {
      return;
    }
    this.#seen = seen;
    this.#networks.refresh();
    for (const listener of this.#listeners) {
      listener();
    }
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === "state.json") {
          this.#look();
        }
      });
      watcher.on("error", () => watcher.close());
      this.#watchers.set(folder, watcher);
    } catch {
      // It went away meanwhile, or there are too many watches: the interval finds changes too.
    }
  }

  async #inside(id: string, command: readonly string[]): Promise<InnerCommand> {
    const { method, seal } = this.#options;
    const folder = this.#folder(id);
    return await method.inside(folder, await this.#stateOf(id), command, await readSecrets(folder, id, seal));
  }

  async #stateOf(id: string): Promise<State> {
    const state = await readState(this.#folder(id));
    if (state === undefined) {
      throw new Error(`instance ${id} is not there`);
    }
    return state;
  }

  async #instance(id: string): Promise<Instance> {
    const instance = await readInstance(this.#folder(id));
    if (instance === undefined) {
      throw new Error(`instance ${id} is not there`);
    }
    return instance;
  }

  async #folders(): Promise<string[]> {
    const home = join(this.#options.home, "instances");
    return (await readdir(home)).map((name) => join(home, name));
  }

  #folder(id: string): string {
    return join(this.#options.home, "instances", fileName(id));
  }

  #volumeFolder(volume: string): string {
    return join(this.#options.home, "volumes", fileName(volume));
  }

  /** One thing after the other for one instance. */
  async #alone(id: string, act: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(id) ?? Promise.resolve();
    const mine = before.then(act, act);
    this.#busy.set(id, mine);
    try {
      await mine;
    } finally {
      if (this.#busy.get(id) === mine) {
        this.#busy.delete(id);
      }
    }
  }
}
