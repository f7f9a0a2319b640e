import type { ContainerInspectInfo } from "dockerode";
import { InstanceLabels } from "../labels";
import type { ObservedInstance, ObservedState, Runtime } from "../runtime";
import { ignoreLeaving } from "./engine-answers";

/** What containers tell of their instances. Remembers the last words of runs that ended: an engine is slow to read logs. */
export class ContainerObserver {
  readonly #logs: Runtime["logs"];
  readonly #restartsOf: (container: string) => number;
  readonly #lastWords = new Map<string, string>();

  /** @param restartsOf how often a container was started again by another than the engine */
  constructor(logs: Runtime["logs"], restartsOf: (container: string) => number) {
    this.#logs = logs;
    this.#restartsOf = restartsOf;
  }

  /** @throws where it is no container of an agent's */
  async observe(container: ContainerInspectInfo): Promise<ObservedInstance> {
    const own = container.Config.Labels;
    const labels = InstanceLabels.parse(JSON.parse(own["dcx.labels"] ?? "{}"));
    return {
      id: own["dcx.id"] ?? "",
      labels,
      digest: own["dcx.digest"] ?? "",
      imageDigest: own["dcx.image-digest"] ?? "",
      containerId: `${container.Id.slice(0, 12)}-${this.#restarts(container)}`,
      state: await this.#state(container),
    };
  }

  #restarts({ Id, RestartCount }: ContainerInspectInfo): number {
    return RestartCount + this.#restartsOf(Id);
  }

  async #state(container: ContainerInspectInfo): Promise<ObservedState> {
    const { State } = container;
    const restarts = this.#restarts(container);
    if (State.Running && !State.Restarting) {
      return { phase: "running", startedAt: State.StartedAt, restarts };
    }
    if (State.Status === "created") {
      return { phase: "pulling", message: State.Error || "created" };
    }
    // Podman does not tell one from the other.
    const killed =
      State.ExitCode === 137 ? "it was killed (137), as what uses more memory than its limit is" : undefined;
    const why = State.OOMKilled
      ? "it used more memory than its limit and was killed"
      : killed !== undefined
        ? killed
        : `exited with ${State.ExitCode}${State.Error === "" ? "" : ` (${State.Error})`}`;
    const words = await this.#last(container);
    const message = words === "" ? why : `${why}: "${words}"`;
    return { phase: "exited", exitCode: State.ExitCode, message, restarts };
  }

  /** The last line of a run that ended. */
  async #last(container: ContainerInspectInfo): Promise<string> {
    const key = `${container.Id} ${container.State.FinishedAt}`;
    const known = this.#lastWords.get(key);
    if (known !== undefined) {
      return known;
    }
    const words = (await this.#read(container.Config.Labels["dcx.id"] ?? "").catch(ignoreLeaving)) ?? "";
    if (this.#lastWords.size > 1000) {
      this.#lastWords.clear();
    }
    this.#lastWords.set(key, words);
    return words;
  }

  async #read(id: string): Promise<string> {
    let words = "";
    for await (const { line } of this.#logs(id, { follow: false, tail: 5 }, new AbortController().signal)) {
      words = line.trim() === "" ? words : line.slice(0, 300);
    }
    return words;
  }
}
