import type { NetworkDriver } from "../network/driver";
import { resourcesOn } from "../resources/index";
import type { SessionSettings } from "../resources/session";
import { type Death, MortalNetwork } from "./mortal";
import { Plugin } from "./plugin";
import type { Program } from "./program";
import { type Kept, Run, type State, type Step } from "./run";
import { Slots } from "./slots";

export interface Outcome {
  /** Without those that stay as they are. */
  readonly steps: readonly Step[];
  /** By resource: what it failed with. */
  readonly failures: Readonly<Record<string, string>>;
  /** What the plugin said to the person. */
  readonly said: string;
  /** Calls to the network. */
  readonly calls: number;
}

export interface StackOptions {
  readonly name?: string;
  readonly parallel?: number;
  readonly settings?: Partial<SessionSettings>;
}

export interface UpOptions {
  /** Resources that are replaced though nothing asks for it, as with `--replace`. */
  readonly replace?: readonly string[];
  readonly death?: Death;
  /** Called when all creates and updates are through and deletes begin. */
  readonly beforeDeletes?: () => void;
}

/**
 * A stack under an engine that is small and in this process: it asks a plugin what the real one asks, in that order,
 * over gRPC, up to `parallel` calls at once, with a new plugin for each operation. What the real engine's own part is
 * (programs, state files, secrets at rest) is not here.
 */
export class Stack implements State {
  readonly kept = new Map<string, Kept>();
  readonly replaced: (readonly [name: string, kept: Kept])[] = [];
  readonly #options: Required<Omit<StackOptions, "settings">> & { readonly settings: SessionSettings };

  constructor(
    readonly driver: NetworkDriver,
    options: StackOptions = {},
  ) {
    this.#options = {
      name: options.name ?? "dev",
      parallel: options.parallel ?? 16,
      settings: { namespace: "", timeout: 10, skipAwait: false, ...options.settings },
    };
  }

  up(program: Program, options: UpOptions = {}): Promise<Outcome> {
    return this.#operate(
      (run) =>
        run.up(program, { preview: false, replace: new Set(options.replace), beforeDeletes: options.beforeDeletes }),
      options.death,
    );
  }

  preview(program: Program): Promise<Outcome> {
    return this.#operate((run) => run.up(program, { preview: true, replace: new Set() }));
  }

  refresh(): Promise<Outcome> {
    return this.#operate((run) => run.refresh());
  }

  destroy(options: { readonly death?: Death } = {}): Promise<Outcome> {
    return this.#operate((run) => run.up({}, { preview: false, replace: new Set() }), options.death);
  }

  urn(name: string, type: string): string {
    return `urn:pulumi:${this.#options.name}::project::dcx:index:${type}::${name}`;
  }

  /** The plugin of the operation that runs now. */
  plugin: Plugin | undefined;
  #slots = new Slots(0);

  /** Resources that the operation which runs now is at work on. */
  get busy(): number {
    return this.#slots.taken;
  }

  async #operate(work: (run: Run) => Promise<void>, death: Death = { side: "before" }): Promise<Outcome> {
    const { settings, parallel } = this.#options;
    const network = new MortalNetwork(this.driver, death, () => this.plugin?.kill());
    const plugin = await Plugin.on(() => resourcesOn(network.driver, settings));
    this.plugin = plugin;
    this.#slots = new Slots(parallel);
    const run = new Run(this, plugin, this.#slots);
    try {
      await work(run);
      return { steps: run.steps, failures: run.failures, said: plugin.said, calls: network.calls };
    } finally {
      this.plugin = undefined;
      plugin.close();
    }
  }
}
