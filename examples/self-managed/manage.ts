import {
  type AccountSigner,
  AgentClient,
  canonicalManifest,
  type Datacenter,
  type Deployment,
  type DeploymentId,
  deploymentKey,
  ExchangeErrorCode,
  ExchangeQueryClient,
  entryCount,
  type Infrastructure,
  type Lease,
  LeaseState,
  type Manifest,
  type ManifestChanges,
  manifestVersion,
  messages,
  parseCpu,
  parseManifest,
  parseRate,
  parseSize,
  patchManifest,
  patchStamps,
  SigningExchangeClient,
  type Stamps,
  TransactionFailed,
  TransactionRejected,
} from "@dcx/protocol";

/** A deployment as it is now. */
export interface Now {
  readonly deployment: Deployment;
  readonly infrastructures: readonly Infrastructure[];
  /** Those that are active. */
  readonly leases: readonly Lease[];
  readonly manifest: Manifest;
}

/** What is to be different. What it does not name stays. */
export interface Change {
  /** Added, or replaced by name. */
  readonly infrastructures?: readonly Infrastructure[];
  readonly removed?: readonly string[];
  /** Entries of the manifest by name; `null` deletes one. */
  readonly manifest?: ManifestChanges;
}

/** Terms of an infrastructure as a person writes them. */
export interface Terms {
  readonly name: string;
  readonly region?: string;
  readonly datacenters?: readonly string[];
  readonly cpu: string;
  readonly memory: string;
  readonly disk: string;
  readonly count?: number;
  /** For one unit, such as `0.25/h`. */
  readonly maxPrice: string;
}

const attempts = 5;

/**
 * Changes a deployment as one of its managers: what the provider does for a tenant, in a hundred lines. A change is
 * one transaction: terms and manifest together, under compare and swap.
 */
export class ManagedDeployment implements AsyncDisposable {
  private constructor(
    readonly id: DeploymentId,
    private readonly query: ExchangeQueryClient,
    private readonly client: SigningExchangeClient,
    private readonly signer: AccountSigner,
    private readonly blockInterval: bigint,
  ) {}

  static async connect(
    endpoints: readonly string[],
    id: DeploymentId,
    signer: AccountSigner,
  ): Promise<ManagedDeployment> {
    const query = await ExchangeQueryClient.connect(endpoints);
    const client = await SigningExchangeClient.connect(query, signer);
    const { parameters } = await query.parameters();
    return new ManagedDeployment(id, query, client, signer, parameters?.blockInterval ?? 0n);
  }

  /** Throws where the deployment is gone, or where none of its datacenters hands out its manifest. */
  async read(): Promise<Now> {
    return (await this.look()).now;
  }

  /** Terms for the exchange, made of those that a person writes. */
  infrastructure(terms: Terms): Infrastructure {
    const compute = {
      cpu: parseCpu(terms.cpu),
      memory: parseSize(terms.memory),
      disk: parseSize(terms.disk),
      gpu: undefined,
    };
    const price = parseRate(terms.maxPrice, this.blockInterval).toString();
    return {
      name: terms.name,
      region: terms.region ?? "",
      attributes: [],
      allowedDatacenters: [...(terms.datacenters ?? [])],
      deniedDatacenters: [],
      persist: true,
      resources: [{ compute, price, collateral: 0n, count: terms.count ?? 1 }],
    };
  }

  /**
   * Makes what `decide` says of the deployment as it is; asked again where somebody else was faster. Resolves to
   * whether anything was changed, once that is in a block: leases and workloads follow.
   */
  async change(decide: (now: Now) => Change | undefined): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const { now, holders, stamps } = await this.look();
      const change = decide(now);
      if (change === undefined) {
        return false;
      }
      try {
        await this.make(change, now, holders, stamps);
        return true;
      } catch (error) {
        const refused = error instanceof TransactionFailed || error instanceof TransactionRejected;
        if (!refused || error.exchangeCode !== ExchangeErrorCode.RevisionMismatch || attempt === attempts) {
          throw error;
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.query.close();
  }

  private async look(): Promise<{ now: Now; holders: readonly Datacenter[]; stamps: Stamps }> {
    const { deployment, leases, datacenters } = await this.query.deployment(this.id);
    if (deployment === undefined) {
      throw new Error(`There is no deployment ${deploymentKey(this.id)} on ${this.query.chainId}.`);
    }
    const active = leases.filter(({ state }) => state === LeaseState.ACTIVE);
    const holders = datacenters.filter(({ address }) => active.some(({ datacenter }) => datacenter === address));
    const version = Buffer.from(deployment.version).toString("hex");
    const problems: string[] = [];
    for (const holder of holders) {
      await using agent = this.agentOf(holder);
      try {
        const found = await agent.manifest(this.id, version);
        // What does not hash to what the chain says is not the manifest, whoever hands it out.
        if (found !== undefined && Buffer.from(manifestVersion(found.manifest)).toString("hex") === version) {
          const infrastructures = deployment.infrastructures.flatMap(({ terms }) =>
            terms === undefined ? [] : [terms],
          );
          const now = { deployment, infrastructures, leases: active, manifest: parseManifest(found.manifest) };
          return { now, holders, stamps: found.stamps };
        }
        problems.push(`${holder.address} does not have it`);
      } catch (error) {
        problems.push(String(error));
      }
    }
    throw new Error(`No datacenter hands out manifest ${version} of ${deploymentKey(this.id)}: ${problems.join("; ")}`);
  }

  private async make(change: Change, now: Now, holders: readonly Datacenter[], stamps: Stamps): Promise<void> {
    const { infrastructures = [], removed = [] } = change;
    const names = new Set([...now.infrastructures, ...infrastructures].map(({ name }) => name));
    for (const name of removed) {
      names.delete(name);
    }
    const manifest = patchManifest(now.manifest, change.manifest ?? {}, { infrastructures: names });
    const text = canonicalManifest(manifest);
    const version = manifestVersion(text);
    // Before the chain names it: whoever keeps a lease has it by then, and new holders fetch it from those.
    await this.stage(holders, Buffer.from(version).toString("hex"), text, patchStamps(stamps, {}, manifest));
    await this.client.submit([
      messages.updateDeployment({
        sender: this.signer.address,
        id: this.id,
        revision: now.deployment.revision,
        infrastructures: [...infrastructures],
        removedInfrastructures: [...removed],
        manifest: { version, entries: entryCount(manifest) },
      }),
    ]);
  }

  private async stage(
    holders: readonly Datacenter[],
    version: string,
    manifest: string,
    stamps: Stamps,
  ): Promise<void> {
    const outcomes = await Promise.allSettled(
      holders.map(async (holder) => {
        await using agent = this.agentOf(holder);
        await agent.putManifest(this.id, version, { manifest, stamps });
      }),
    );
    if (!outcomes.some(({ status }) => status === "fulfilled")) {
      const reasons = outcomes.map((outcome) => (outcome.status === "rejected" ? String(outcome.reason) : ""));
      throw new Error(`No datacenter takes the new manifest, so nothing was sent: ${reasons.join("; ")}`);
    }
  }

  private agentOf({ address, agentUrls, roots }: Datacenter): AgentClient {
    const certificates = roots.map(({ certificate }) => certificate);
    const target = { chainId: this.query.chainId, datacenter: address, urls: agentUrls, roots: certificates };
    // Set where an `egress` to the exchange is declared: from inside a workload agents are reached through it.
    return new AgentClient(target, { kind: "account", signer: this.signer }, { proxy: process.env["DCX_AGENT_PROXY"] });
  }
}
