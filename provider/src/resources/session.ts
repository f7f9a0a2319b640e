import type { DeploymentKey, NetworkDriver, NetworkIdentity, NetworkParameters } from "../network/driver";
import { Turns } from "./turns";

export interface SessionSettings {
  /** Keeps the deployments of two stacks with the same URNs apart. */
  readonly namespace: string;
  /** Seconds that creates, updates and deletes may take where the request does not say. */
  readonly timeout: number;
  /** Whether creates and updates end once the transaction is in a block. */
  readonly skipAwait: boolean;
}

/** What the resources of one provider process share: the network, and what this process has met on it. */
export class Session {
  /** One change to a deployment at a time, by its id. */
  readonly turns = new Turns();
  readonly #incarnations = new Map<string, { readonly deployment: string; readonly incarnation: bigint }>();

  constructor(
    readonly driver: NetworkDriver,
    readonly settings: SessionSettings,
  ) {}

  /** As the driver's, or those of an embedded network that is not there yet. */
  async parameters(signal: AbortSignal): Promise<NetworkParameters> {
    return (await this.driver.identify(signal)) === undefined ? newNetwork : this.driver.parameters(signal);
  }

  identify(signal: AbortSignal): Promise<NetworkIdentity | undefined> {
    return this.driver.identify(signal);
  }

  /**
   * The owner of what a URN declares: who it is within its stack, after which stack it is. Of the latter only as much
   * is kept as tells stacks apart.
   */
  async owner(urn: string, signal: AbortSignal): Promise<string> {
    const stack = urn.split("::").slice(0, 2).join("::");
    const [whole, own] = await Promise.all([this.driver.owner(stack, signal), this.driver.owner(urn, signal)]);
    return `${whole.slice(0, 16)}.${own}`;
  }

  /** Whether a holder says that it runs this version. One that does not answer in a few seconds does not. */
  async runs(deployment: DeploymentKey, holder: string, version: string, signal: AbortSignal): Promise<boolean> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(3000)]);
    try {
      const status = await this.driver.status(deployment, holder, { after: undefined, waitMilliseconds: 0 }, bounded);
      return status.version === version && status.complete;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }

  /** Records which incarnation of a deployment a URN has made or taken over in this process. */
  met(urn: string, deployment: string, incarnation: bigint): void {
    this.#incarnations.set(urn, { deployment, incarnation });
  }

  /** Whether this process has met, for this URN, a newer incarnation of that deployment. */
  hasNewer(urn: string, deployment: string, incarnation: bigint): boolean {
    const known = this.#incarnations.get(urn);
    return known !== undefined && known.deployment === deployment && known.incarnation > incarnation;
  }
}

/** What a new embedded network is going to have. */
const newNetwork: NetworkParameters = {
  blockInterval: 500,
  denomination: "udcx",
  addressPrefix: "dcx",
  maxWaitDuration: 1_000_000n,
  maxInfrastructures: 64,
  maxGroups: 64,
  maxAttributes: 64,
  maxCount: 1_000_000,
  maxManagers: 16,
};
