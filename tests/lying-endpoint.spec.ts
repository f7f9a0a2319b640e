import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Datacenter, parseConfiguration, startDatacenter } from "@dcx/datacenter";
import { defaultGenesis, type EmbeddedNode, startEmbeddedNode } from "@dcx/exchange";
import {
  type AccountSigner,
  AgentClient,
  type CertificateWithKey,
  canonicalManifest,
  certificateDer,
  createDatacenterRoot,
  createLeaf,
  createRootProof,
  Datacenter as DatacenterRecord,
  Deployment,
  type QueryDeploymentResponse as DeploymentAnswer,
  type DeploymentId,
  ExchangeQueryClient,
  Lease,
  LeaseState,
  type Manifest,
  manifestVersion,
  messages,
  parseRate,
  QueryDeploymentRequest,
  QueryDeploymentResponse,
  SigningExchangeClient,
  signerFromPrivateKey,
  stateKeys,
} from "@dcx/protocol";
import pino from "pino";
import { headersFrom } from "../datacenter/src/chain/light-client/answers";
import { LightClient } from "../datacenter/src/chain/light-client/light-client";
import { ProvenReads } from "../datacenter/src/chain/proven-reads";
import { FakeRuntime } from "../datacenter/src/reconcile/fake-runtime";
import { type AbciResponse, type Lies, LyingProxy } from "./support/lying-proxy";

jest.setTimeout(300_000);

const chainId = "dcx-lying-1";
const logger = pino({ level: process.env["DCX_TEST_LOG"] ?? "silent" });
const hour = 3_600_000;
const validity = () => ({ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) });
const manifest: Manifest = {
  schema: 1,
  salt: "66".repeat(32),
  workloads: { api: { infrastructure: "west", container: { image: "dcx.example/none:1" } } },
  connections: {},
};
const text = canonicalManifest(manifest);
const version = Buffer.from(manifestVersion(text));

/**
 * A datacenter whose only endpoint is somebody else's. It has a lease of a deployment and its manifest; `east`, an
 * account that this test plays, has another lease until the tenant closes it.
 */
describe("a datacenter behind an endpoint that lies", () => {
  let folder: string;
  let node: EmbeddedNode;
  let proxy: LyingProxy;
  let datacenter: Datacenter;
  let query: ExchangeQueryClient;
  let signing: SigningExchangeClient;
  let tenant: AccountSigner;
  let east: AccountSigner;
  let eastRoot: CertificateWithKey;
  let id: DeploymentId;
  const westKey = "2b".repeat(32);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-lying-"));
    tenant = await signerFromPrivateKey("2a".repeat(32));
    east = await signerFromPrivateKey("2c".repeat(32));
    const west = await signerFromPrivateKey(westKey);
    writeFileSync(join(folder, "west.json"), JSON.stringify({ privateKey: westKey }), { mode: 0o600 });
    const accounts = [tenant, west, east].map(({ address }) => ({ address, balance: 1_000_000_000n }));
    // East confirms nothing.
    const parameters = { blockInterval: 200n, reconfirmationPeriod: 3_000n };
    const genesis = defaultGenesis({ chainId, accounts, parameters });
    node = await startEmbeddedNode({ home: join(folder, "node"), genesis, rpc: {}, logger });
    proxy = await LyingProxy.start(node.rpcUrl);
    query = await ExchangeQueryClient.connect(node.rpcUrl);
    signing = await SigningExchangeClient.connect(query, tenant);
    datacenter = await startDatacenter(
      parseConfiguration({
        chain: { endpoints: [proxy.url], chainId, trust: await trustedBlock() },
        keyFile: join(folder, "west.json"),
        home: join(folder, "west"),
        region: "us-west",
        capacity: { cpu: 4, memory: "4Gi", disk: "20Gi" },
      }),
      { logger, runtime: new FakeRuntime() },
    );
    await datacenter.registered;
    await registerEast();
    await lease();
    await using agent = await asTenant();
    // It reads a lease a moment after the chain has it.
    await eventually(
      () =>
        agent.putManifest(id, version.toString("hex"), { manifest: text, stamps: {} }).then(
          () => "taken",
          (error) => String(error),
        ),
      (outcome) => outcome === "taken",
    );
  });

  afterEach(() => proxy.tell({}));

  afterAll(async () => {
    await datacenter?.close();
    query?.close();
    await proxy?.close();
    await node?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What an operator reads off a node that he trusts. */
  async function trustedBlock() {
    const answer = await fetch(`${node.rpcUrl}/commit?height=1`);
    const { result } = (await answer.json()) as {
      result: { signed_header: { commit: { block_id: { hash: string } } } };
    };
    return { height: 1, hash: result.signed_header.commit.block_id.hash };
  }

  async function registerEast(): Promise<void> {
    eastRoot = await createDatacenterRoot({ chainId, datacenter: east.address }, validity());
    const certificate = Buffer.from(certificateDer(eastRoot.certificate));
    const claim = { chainId, datacenter: east.address, certificate };
    const proof = Buffer.from(createRootProof(claim, createPrivateKey(eastRoot.key)));
    const as = await SigningExchangeClient.connect(query, east);
    await as.submit([
      messages.registerDatacenter({
        datacenter: east.address,
        region: "us-east",
        agentUrls: ["https://127.0.0.1:1"],
        roots: [{ certificate, proof }],
      }),
    ]);
  }

  function resources() {
    const compute = { cpu: 500n, memory: 256n << 20n, disk: 1n << 30n };
    return [{ compute, price: parseRate("0.40/h", 200n).toString(), collateral: 1_000n, count: 1 }];
  }

  async function lease(): Promise<void> {
    const infrastructures = ["west", "east"].map((name) => ({ name, region: `us-${name}`, resources: resources() }));
    const { responses } = await signing.submit([
      messages.submitDeployment({
        tenant: tenant.address,
        infrastructures,
        waitDuration: 5n,
        version,
        manifestEntries: 1,
        nonce: Buffer.alloc(32, 1),
        clientToken: Buffer.alloc(32, 2),
      }),
    ]);
    const [response] = responses;
    if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
    id = response.value.id;
    const as = await SigningExchangeClient.connect(query, east);
    const order = { ...id, infrastructure: "east", generation: 1 };
    await as.submit([messages.submitFulfillment({ datacenter: east.address, order, resources: resources() })]);
    await until((answer) => answer.leases.filter(({ state }) => state === LeaseState.ACTIVE).length === 2);
  }

  async function until(condition: (answer: DeploymentAnswer) => boolean): Promise<void> {
    for await (const _ of query.blocks(AbortSignal.timeout(120_000))) if (condition(await query.deployment(id))) return;
    throw new Error("the chain never came to that");
  }

  async function target() {
    const [record] = (await query.datacenters({ address: datacenter.address })).datacenters;
    const roots = record?.roots.map(({ certificate }) => certificate) ?? [];
    return { chainId, datacenter: datacenter.address, urls: [datacenter.agentUrl], roots };
  }

  async function asTenant(): Promise<AgentClient> {
    return new AgentClient(await target(), { kind: "account", signer: tenant });
  }

  /** What east gets of the manifest: its text, or the code of the refusal. */
  async function eastGets(root = eastRoot): Promise<string | undefined> {
    const leaf = await createLeaf(root, { chainId, datacenter: east.address }, validity());
    await using client = new AgentClient(await target(), { kind: "peer", certificate: () => leaf });
    try {
      return (await client.manifest(id, version.toString("hex")))?.manifest;
    } catch (error) {
      return typeof error === "object" && error !== null && "refusal" in error ? String(error.refusal) : String(error);
    }
  }

  /** Changes a record wherever an endpoint shows it: in lists and by key. */
  function changedDeployment(change: (answer: DeploymentAnswer) => DeploymentAnswer): Lies {
    return {
      query: (path, data, response) => {
        if (path !== "/dcx.exchange.v1.Query/Deployment") return response;
        if (QueryDeploymentRequest.decode(data).id === undefined) return response;
        const changed = change(QueryDeploymentResponse.decode(response.value));
        return { ...response, value: Buffer.from(QueryDeploymentResponse.encode(changed).finish()) };
      },
    };
  }

  function changedEntry(key: Buffer, change: (value: Buffer) => Uint8Array): Lies {
    return {
      query: (path, data, response) =>
        path === "/store/dcx/key" && data.equals(key)
          ? { ...response, value: Buffer.from(change(response.value)) }
          : response,
    };
  }

  it("serves a holder while the endpoint says what is true", async () => {
    expect(await eastGets()).toBe(text);
  });

  const earlier = new Map<string, AbciResponse>();

  it("serves it no more once it is none, though the endpoint shows no event of that and the lease as active", async () => {
    await truth((path, data, response) => void earlier.set(`${path} ${data.toString("hex")}`, response));
    proxy.tell({
      ...changedDeployment((answer) => ({
        ...answer,
        leases: answer.leases.map((each) => ({ ...each, state: LeaseState.ACTIVE })),
      })),
      result: (method, result) =>
        method === "block_results" ? { ...result, txs_results: [], finalize_block_events: [] } : result,
    });
    const lease = { ...id, infrastructure: "east", generation: 1 };
    await signing.submit([messages.closeLease({ sender: tenant.address, lease })]);
    expect(await eventually(eastGets, (got) => got === "not-a-holder")).toBe("not-a-holder");
  });

  it("serves nobody when the endpoint forges commits, and goes on once it says what is true", async () => {
    proxy.tell({ commit: (commit) => ({ ...commit, signatures: commit.signatures.map(unsigned) }) });
    await using agent = await asTenant();
    const tenantGets = () =>
      agent.manifest(id, version.toString("hex")).then(
        (got) => got?.manifest,
        (error: { readonly refusal?: string }) => error.refusal,
      );
    expect(await eventually(tenantGets, (got) => got === "chain-unreachable")).toBe("chain-unreachable");
    proxy.tell({});
    expect(await eventually(tenantGets, (got) => got === text)).toBe(text);
    expect(await eastGets()).toBe("not-a-holder");
  });

  describe("reads", () => {
    const stolen = Buffer.from("no certificate of east's");

    it.each<[string, () => Lies, RegExp]>([
      ["a lease of another datacenter", () => changedEntry(westLease(), asEast), /proof of a record does not hold/],
      [
        "another version",
        () =>
          changedEntry(stateKeys.deployment(id), (value) =>
            Deployment.encode({ ...Deployment.decode(value), version: Buffer.alloc(32, 9) }).finish(),
          ),
        /proof of a record does not hold/,
      ],
      [
        "another root of the holder",
        () =>
          changedEntry(stateKeys.datacenter(datacenter.address), (value) => {
            const record = DatacenterRecord.decode(value);
            const roots = record.roots.map((root) => ({ ...root, certificate: stolen }));
            return DatacenterRecord.encode({ ...record, roots }).finish();
          }),
        /proof of a record does not hold/,
      ],
      [
        "a lease as absent",
        () => changedEntry(westLease(), () => Buffer.alloc(0)),
        /no proof that the record does not/,
      ],
      ["no proof", () => ({ query: (_path, _data, response) => ({ ...response, proofOps: null }) }), /without a proof/],
      [
        "the proof of another record",
        () => {
          let before: AbciResponse | undefined;
          return {
            query: (_path, _data, response) => {
              const { proofOps } = before ?? response;
              before = response;
              return { ...response, proofOps };
            },
          };
        },
        /proof of a record does not hold/,
      ],
      [
        "what was true before, with the proofs of then",
        () => ({ query: (path, data, response) => earlier.get(`${path} ${data.toString("hex")}`) ?? response }),
        /timeout/,
      ],
      [
        "an old header",
        () => ({
          parameters: (method, parameters) => (method === "commit" ? { ...parameters, height: "2" } : parameters),
        }),
        /the endpoint shows 2/,
      ],
      [
        "another app hash",
        () => ({ header: (header) => ({ ...header, app_hash: "AB".repeat(32) }) }),
        /its commit names/,
      ],
      [
        "a forged commit",
        () => ({ commit: (commit) => ({ ...commit, signatures: commit.signatures.map(unsigned) }) }),
        /signature that is not valid/,
      ],
      ["no signatures", () => ({ commit: (commit) => ({ ...commit, signatures: [] }) }), /not one of its validators/],
    ])("nothing from an endpoint that shows %s", async (_what, lies, reason) => {
      using reading = await ExchangeQueryClient.connect(proxy.url);
      const reads = await provenReads(reading);
      await reads.reach(await query.height(), AbortSignal.timeout(60_000));
      const answer = await query.deployment(id);
      proxy.tell(lies());
      // What is older than a block that was seen already is asked for again until this ends.
      const bounded = AbortSignal.timeout(reason.source === "timeout" ? 2_000 : 60_000);
      await expect(reads.deployment(id, answer, bounded)).rejects.toThrow(reason);
    });

    it("what is true, and nothing besides of what lists say", async () => {
      using reading = await ExchangeQueryClient.connect(proxy.url);
      const reads = await provenReads(reading);
      const answer = await query.deployment(id);
      const invented = answer.leases.map((each) => ({ ...each, state: LeaseState.ACTIVE, datacenter: east.address }));
      const { value } = await reads.deployment(
        id,
        { ...answer, deployment: undefined, leases: invented, datacenters: [] },
        AbortSignal.timeout(60_000),
      );
      expect(value.deployment).toEqual(answer.deployment);
      const holders = value.leases.filter(({ state }) => state === LeaseState.ACTIVE).map((each) => each.datacenter);
      expect(holders).toEqual([datacenter.address]);
      expect(value.datacenters.map(({ address }) => address)).toEqual([datacenter.address]);
    });
  });

  const westLease = () => stateKeys.lease({ ...id, infrastructure: "west", generation: 1 });
  const asEast = (value: Buffer) => Lease.encode({ ...Lease.decode(value), datacenter: east.address }).finish();

  function unsigned<T extends object>(signature: T) {
    return { ...signature, signature: Buffer.alloc(64, 7).toString("base64") };
  }

  /** Reads as the datacenter does, once, and shows the answers to `note`. */
  async function truth(note: (path: string, data: Buffer, response: AbciResponse) => void): Promise<void> {
    proxy.tell({
      query: (path, data, response) => {
        note(path, data, response);
        return response;
      },
    });
    using reading = await ExchangeQueryClient.connect(proxy.url);
    await (await provenReads(reading)).deployment(id, await query.deployment(id), AbortSignal.timeout(60_000));
  }

  async function provenReads(reading: ExchangeQueryClient): Promise<ProvenReads> {
    const { height, hash } = await trustedBlock();
    const light = new LightClient({
      chainId,
      root: { height: BigInt(height), hash: Buffer.from(hash, "hex") },
      trustingPeriod: hour,
      clockDrift: 10_000,
      source: headersFrom(reading),
      store: { read: () => undefined, write: () => {} },
    });
    return new ProvenReads(reading, light);
  }
});

async function eventually<T>(look: () => Promise<T>, condition: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const seen = await look();
    if (condition(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`it never came to that: ${String(seen)}`);
    await setTimeout(200);
  }
}
