import { createPrivateKey, randomBytes } from "node:crypto";
import {
  type AccountSigner,
  certificateDer,
  createDatacenterRoot,
  createRootProof,
  type DeploymentId,
  type ExchangeQueryClient,
  type Lease,
  messages,
  SigningExchangeClient,
} from "@dcx/protocol";

const hour = 3_600_000;

/**
 * A tenant and two datacenters of which one is the cheaper, as accounts alone: no agent runs. What is leased is never
 * confirmed, so that facilitators have both to match and to break.
 */
export class Market {
  private constructor(
    private readonly query: ExchangeQueryClient,
    private readonly tenant: SigningExchangeClient,
    private readonly cheap: SigningExchangeClient,
    private readonly dear: SigningExchangeClient,
  ) {}

  static async open(
    query: ExchangeQueryClient,
    signers: { readonly tenant: AccountSigner; readonly cheap: AccountSigner; readonly dear: AccountSigner },
  ): Promise<Market> {
    const [tenant, cheap, dear] = await Promise.all(
      [signers.tenant, signers.cheap, signers.dear].map((signer) =>
        SigningExchangeClient.connect(query, signer, { inFlight: 8 }),
      ),
    );
    if (tenant === undefined || cheap === undefined || dear === undefined) throw new Error("three are given");
    const { chainId } = await query.parameters();
    await Promise.all([cheap, dear].map((datacenter) => register(chainId, datacenter)));
    return new Market(query, tenant, cheap, dear);
  }

  /**
   * Submits two deployments for each of some waits, so that several blocks after one another have something of the
   * facilitators' in them, and bids on all: the dear one first, the cheap one thereafter.
   */
  async round(): Promise<readonly DeploymentId[]> {
    const submitted = await this.tenant.submit(
      // Long enough for both bids where a block takes as long as five do otherwise.
      [25n, 25n, 26n, 26n, 27n, 27n, 28n, 28n].map((waitDuration) =>
        messages.submitDeployment({
          tenant: this.tenant.address,
          infrastructures: [{ name: "west", region: "us-west", resources: resources(2_000_000n) }],
          waitDuration,
          version: randomBytes(32),
          manifestEntries: 1,
          nonce: randomBytes(32),
          clientToken: randomBytes(32),
        }),
      ),
    );
    const ids = submitted.responses.flatMap((one) =>
      one.type === "submitDeployment" && one.value.id !== undefined ? [one.value.id] : [],
    );
    await this.bid(this.dear, ids, 1_000_000n);
    await this.bid(this.cheap, ids, 500_000n);
    return ids;
  }

  /** First leases of deployments, once each has one. */
  async leased(ids: readonly DeploymentId[]): Promise<readonly Lease[]> {
    for await (const _ of this.query.blocks(AbortSignal.timeout(120_000))) {
      const answers = await Promise.all(ids.map((id) => this.query.deployment(id)));
      const leases = answers.map(({ leases: all }) => all.find(({ id }) => id?.generation === 1));
      if (leases.every((lease) => lease !== undefined)) return leases;
    }
    throw new Error("an order is never matched");
  }

  private async bid(datacenter: SigningExchangeClient, ids: readonly DeploymentId[], price: bigint): Promise<void> {
    await datacenter.submit(
      ids.map((id) =>
        messages.submitFulfillment({
          datacenter: datacenter.address,
          order: { ...id, infrastructure: "west", generation: 1 },
          resources: resources(price),
        }),
      ),
    );
  }
}

/** @param price fixed-point with 18 places, per block */
function resources(price: bigint) {
  const compute = { cpu: 500n, memory: 1n << 28n, disk: 1n << 30n };
  return [{ compute, price: price.toString(), collateral: 1_000n, count: 1 }];
}

async function register(chainId: string, datacenter: SigningExchangeClient): Promise<void> {
  const now = Date.now();
  const validity = { notBefore: new Date(now - hour), notAfter: new Date(now + hour) };
  const root = await createDatacenterRoot({ chainId, datacenter: datacenter.address }, validity);
  const certificate = Buffer.from(certificateDer(root.certificate));
  const claim = { chainId, datacenter: datacenter.address, certificate };
  const proof = Buffer.from(createRootProof(claim, createPrivateKey(root.key)));
  await datacenter.submit([
    messages.registerDatacenter({
      datacenter: datacenter.address,
      region: "us-west",
      agentUrls: ["https://127.0.0.1:1"],
      roots: [{ certificate, proof }],
    }),
  ]);
}
