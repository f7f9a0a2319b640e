import type { ConnectionParameters, DeploymentStatus, Identity } from "@dcx/protocol";
import type { ChainView } from "../chain/view";
import type { Overlay } from "../overlay/overlay";
import { describeDeployment } from "../reconcile/deployment-status";
import type { LeaseTarget } from "../reconcile/lease-target";
import type { Reconciler } from "../reconcile/reconciler";
import type { Runtime } from "../runtime/runtime";
import type { WorkloadLogs } from "./workload-logs";

/** Of this software. */
const softwareVersion = "0.1.0";

export interface AnswersOptions {
  readonly chainId: string;
  /** Account address. */
  readonly datacenter: string;
  readonly region: string;
  readonly runtime: Runtime;
  readonly overlay: Overlay;
  readonly reconciler: Reconciler;
  readonly view: () => ChainView | undefined;
}

/** What the agent tells of what runs here, to those who may ask. */
export class Answers {
  readonly #options: AnswersOptions;
  readonly #instancesChanged = new Set<() => void>();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** To be called when an instance may have changed. */
  instancesChanged(): void {
    for (const listener of this.#instancesChanged) listener();
  }

  status(deployment: string): DeploymentStatus {
    const { overlay, reconciler, view } = this.#options;
    return describeDeployment({
      deployment,
      height: view()?.height ?? 0n,
      targets: this.#targets(deployment),
      observed: reconciler.look.observed.filter(({ labels }) => labels.deployment === deployment),
      health: (id) => reconciler.health.of(id),
      progress: (id) => reconciler.progress(id),
      connections: overlay.status(),
    });
  }

  /** @param index of one instance; absent: of all */
  logs(deployment: string, workload: string, index: number | undefined): WorkloadLogs {
    const { reconciler, runtime } = this.#options;
    return {
      runtime,
      instances: () =>
        reconciler.look.observed.filter(
          ({ labels }) =>
            labels.deployment === deployment &&
            labels.workload === workload &&
            (index === undefined || labels.index === index),
        ),
      subscribe: (listener) => {
        this.#instancesChanged.add(listener);
        return () => this.#instancesChanged.delete(listener);
      },
    };
  }

  async parameters(deployment: string): Promise<ConnectionParameters> {
    const { overlay } = this.#options;
    const targets = this.#targets(deployment);
    const workloads: ConnectionParameters["workloads"] = {};
    for (const { placement, workloads: placed } of targets) {
      for (const { workload } of placed) {
        const certificate = await overlay.certificate(placement.lease, workload);
        workloads[workload] = { certificate, addresses: [overlay.address] };
      }
    }
    return {
      lease: targets[0]?.placement.lease ?? "",
      version: targets[0]?.version ?? "",
      workloads,
    };
  }

  identity(): Identity {
    const { chainId, datacenter, region, runtime, view } = this.#options;
    return {
      chainId,
      datacenter,
      region,
      isolation: runtime.isolation,
      unenforced: [...runtime.unenforced],
      version: softwareVersion,
      height: (view()?.height ?? 0n).toString(),
    };
  }

  #targets(deployment: string): readonly LeaseTarget[] {
    return this.#options.reconciler.look.targets.filter(({ placement }) => placement.deployment === deployment);
  }
}
