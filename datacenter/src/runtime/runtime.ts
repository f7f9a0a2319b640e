import type { Isolation, LogLine } from "@dcx/protocol";
import type { ExecOptions, Execution } from "./execution";
import type { InstanceLabels } from "./labels";

/** Limits of an instance; what a runtime can't enforce it names in `unenforced`. */
export interface Limits {
  /** Thousandths of a virtual CPU. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: bigint;
  /** Bytes. */
  readonly disk: bigint;
  readonly processes: number;
}

export type Limit = keyof Limits;

/** One instance of a workload, as it is to run. Two specifications with the same `digest` are the same instance. */
export interface InstanceSpecification {
  /** Unique in the datacenter and stable: `<deployment key>.<workload>.<index>.<first 12 of digest>`. */
  readonly id: string;
  readonly labels: InstanceLabels;
  /** SHA-256, in hexadecimal, of what would need a new container if it changed. */
  readonly digest: string;
  readonly image: string;
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly command?: readonly string[];
  readonly arguments?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly volumes: readonly VolumeMount[];
  /** Names that resolve inside, each to a loopback address in the instance's own network. */
  readonly hosts: Readonly<Record<string, string>>;
}

export interface VolumeMount {
  /** Unique in the datacenter; lives as long as the lease. */
  readonly volume: string;
  readonly path: string;
  /** Bytes. */
  readonly size: bigint;
}

export type ObservedState =
  | { readonly phase: "pulling"; readonly message?: string }
  | { readonly phase: "running"; readonly startedAt: string; readonly restarts: number }
  | { readonly phase: "exited"; readonly exitCode: number; readonly message: string; readonly restarts: number }
  | { readonly phase: "failed"; readonly message: string };

export interface ObservedInstance {
  readonly id: string;
  readonly labels: InstanceLabels;
  readonly digest: string;
  readonly state: ObservedState;
  /** The engine's own id of this run. */
  readonly containerId: string;
  readonly imageDigest?: string;
}

/**
 * Runs instances. It knows nothing of the exchange; it restarts with back-off what exits; it keeps running what it
 * runs when the agent goes away, and finds it again.
 */
export interface Runtime {
  readonly isolation: Isolation;
  readonly unenforced: readonly Limit[];
  /** Everything of this agent's that the engine knows, also from before a restart of the agent. */
  list(): Promise<readonly ObservedInstance[]>;
  /** Makes the image present. Returns its digest. Rejects with a message that says why it can't be had. */
  pull(image: string, credentials?: { readonly username: string; readonly password: string }): Promise<string>;
  /** Starts an instance that is not there. The image is present. */
  start(specification: InstanceSpecification): Promise<void>;
  /** Stops and removes an instance and all that it left but its volumes. Nothing to do is success. */
  remove(id: string): Promise<void>;
  removeVolume(volume: string): Promise<void>;
  logs(id: string, options: LogOptions, signal: AbortSignal): AsyncIterable<Pick<LogLine, "stream" | "time" | "line">>;
  /** Runs a health check's command inside. Resolves to the exit code. */
  execute(id: string, command: readonly string[], timeout: number): Promise<number>;
  /** Runs a command inside that somebody follows, with the instance's limits. */
  open(id: string, options: ExecOptions): Promise<Execution>;
  /** The instance's network: how the overlay listens and dials inside it. */
  network(id: string): Promise<InstanceNetwork>;
  /** Called whenever something changed that `list` shows. Returns how to stop being called. */
  subscribe(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface LogOptions {
  readonly follow: boolean;
  /** Lines from the end; absent: all that is kept. */
  readonly tail?: number;
}

/** The inside of an instance's network, where nothing but loopback exists. */
export interface InstanceNetwork {
  /**
   * Listens inside, on a loopback address, and hands over each stream that a workload opens.
   * Where instances share the host's network (isolation "none") the port that is really used is in `port`.
   */
  listen(
    address: string,
    port: number,
    onStream: (stream: import("node:stream").Duplex) => void,
  ): Promise<InnerListener>;
  /** Opens a stream to a port that the workload listens on. Rejects when nothing accepts there. */
  dial(port: number): Promise<import("node:stream").Duplex>;
}

export interface InnerListener {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}
