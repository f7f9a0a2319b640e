import { mkdtempSync, rmSync } from "node:fs";
import { request as httpsRequest, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AccountSigner,
  AgentClient,
  type AgentTarget,
  agentServerOptions,
  type CertificateWithKey,
  canonicalManifest,
  certificateDer,
  createClientCertificate,
  createDatacenterRoot,
  createLeaf,
  Datacenter,
  type DeploymentStatus,
  encodeStatement,
  Lease,
  LeaseState,
  MAX_QUOTE_BYTES,
  manifestVersion,
  PeerVerifier,
  publicKeyDigest,
  QueryDeploymentResponse,
  QueryParametersResponse,
  type QuoteTerms,
  type StatementClaims,
  type StatementPurpose,
  signerFromPrivateKey,
  signStatement,
  statementHeader,
} from "@dcx/protocol";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import type { ChainView } from "../chain/view";
import { type Home, openHome } from "../home/home";
import { type ManifestStore, openManifestStore } from "../manifest/store";
import { Authorization } from "./authorization";
import { createAgentApi } from "./server";
import { StatusBoard } from "./status-board";
import { WorkloadEvents } from "./workload-events";

const chainId = "dcx-test";
const self = "dcx1self";
const hour = 3_600_000;
const validity = () => ({ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) });
const text = canonicalManifest({ schema: 1, salt: "22".repeat(32), workloads: {}, connections: {} });
const version = Buffer.from(manifestVersion(text)).toString("hex");

/** An agent's API over real TLS, in front of chain state that the test writes. */
describe("the agent's API", () => {
  let path: string;
  let home: Home;
  let store: ManifestStore;
  let api: FastifyInstance<Server>;
  let target: AgentTarget;
  let tenant: AccountSigner;
  let stranger: AccountSigner;
  let fresh: boolean;
  let view: ChainView;
  /** What the chain shows to who looks again. */
  let late: ChainView | undefined;
  let status: DeploymentStatus;
  let board: StatusBoard;
  let events: WorkloadEvents;
  let stop: AbortController;
  const roots = new Map<string, CertificateWithKey>();
  const log: { code?: string; presented?: string }[] = [];

  beforeAll(async () => {
    tenant = await signerFromPrivateKey("01".repeat(32));
    stranger = await signerFromPrivateKey("02".repeat(32));
    for (const datacenter of [self, "dcx1holder", "dcx1former", "dcx1bidder"]) {
      roots.set(datacenter, await createDatacenterRoot({ chainId, datacenter }, validity()));
    }
  });

  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), "dcx-api-"));
    home = openHome(path);
    store = openManifestStore(home);
    store.put(`${tenant.address}/1`, version, { manifest: text, stamps: {} });
    fresh = true;
    view = held();
    late = undefined;
    log.length = 0;
    status = { cursor: "a", height: "1", complete: true, workloads: {}, connections: {} };
    stop = new AbortController();
    board = new StatusBoard(() => status);
    events = new WorkloadEvents();
    const logger = pino({ level: "warn" }, { write: (line: string) => void log.push(JSON.parse(line)) });
    api = createAgentApi({
      leaf: await createLeaf(rootOf(self), { chainId, datacenter: self }, validity()),
      authorization: new Authorization({
        chainId,
        datacenter: self,
        verifier: new PeerVerifier(),
        view: () => view,
        isFresh: async () => fresh,
        refresh: async () => {
          if (late !== undefined) view = late;
        },
        logger,
      }),
      identity: () => ({
        chainId,
        datacenter: self,
        region: "us-west",
        isolation: "container",
        unenforced: [],
        version: "0",
        height: "1",
      }),
      store,
      status: board,
      activeVersion: () => version,
      recentlyHeld: () => true,
      quote: async (order) =>
        order === "open" ? { willBid: false, reason: "price", message: "asks more", rate: 5n } : undefined,
      quoteTerms: async ({ region }, asking) =>
        asking === undefined
          ? { willBid: false, reason: "isolation", message: `serves its own user only, in ${region}` }
          : { willBid: true, resources: [], rate: 7n, collateral: 0n },
      knowsWorkload: () => false,
      logs: () => {
        throw new Error("no logs here");
      },
      events,
      runtime: { open: () => Promise.reject(new Error("no commands here")) },
      parameters: async () => ({ lease: "l", version, workloads: {} }),
      signal: stop.signal,
      logger,
    });
    const url = await api.listen({ host: "127.0.0.1", port: 0 });
    target = { chainId, datacenter: self, urls: [url], roots: [certificateDer(rootOf(self).certificate)] };
  });

  afterEach(async () => {
    stop.abort();
    await api.close();
    await home.close();
    rmSync(path, { recursive: true, force: true });
  });

  function rootOf(datacenter: string): CertificateWithKey {
    const root = roots.get(datacenter);
    if (root === undefined) throw new Error(`no root of ${datacenter}`);
    return root;
  }

  /** Chain state in which this datacenter and dcx1holder have active leases, and dcx1former had one. */
  function held(): ChainView {
    const id = { tenant: tenant.address, sequence: 1n };
    const record = (address: string) =>
      Datacenter.fromPartial({
        address,
        roots: [{ certificate: Buffer.from(certificateDer(rootOf(address).certificate)) }],
      });
    const lease = (datacenter: string, state: LeaseState, infrastructure: string) =>
      Lease.fromPartial({ id: { ...id, infrastructure, generation: 1 }, datacenter, state });
    return {
      height: 5n,
      parameters: QueryParametersResponse.fromPartial({ addressPrefix: "dcx" }),
      record: record(self),
      orders: new Map(),
      fulfillments: new Map(),
      leases: new Map(),
      broken: new Map(),
      deployments: new Map([
        [
          `${tenant.address}/1`,
          QueryDeploymentResponse.fromPartial({
            deployment: { id, managers: [{ address: "dcx1manager" }] },
            leases: [
              lease(self, LeaseState.ACTIVE, "a"),
              lease("dcx1holder", LeaseState.ACTIVE, "b"),
              lease("dcx1former", LeaseState.CLOSED, "c"),
            ],
            // Fulfillments' datacenters are among these too: a bid gives no right.
            datacenters: [self, "dcx1holder", "dcx1former", "dcx1bidder"].map(record),
          }),
        ],
      ]),
    };
  }

  function deployment() {
    return { tenant: tenant.address, sequence: 1n };
  }

  async function asPeer(datacenter: string, root = rootOf(datacenter)): Promise<AgentClient> {
    const leaf = await createLeaf(root, { chainId, datacenter }, validity());
    return new AgentClient(target, { kind: "peer", certificate: () => leaf });
  }

  /** GETs the manifests with a statement whose claims the test changes. */
  async function listWith(
    changes: Partial<StatementClaims>,
    signer = tenant,
  ): Promise<{ status: number; body: string }> {
    const certificate = await createClientCertificate(validity());
    const statement = await signStatement(signer, {
      chainId,
      account: signer.address,
      tenant: tenant.address,
      sequence: "1",
      clientKey: publicKeyDigest(certificateDer(certificate.certificate)),
      datacenter: self,
      purpose: "manage",
      expires: Math.floor(Date.now() / 1000) + 60,
      ...changes,
    });
    return new Promise((resolve, reject) => {
      const asked = httpsRequest(
        `${target.urls[0]}/v1/deployments/${tenant.address}/1/manifests`,
        {
          cert: certificate.certificate,
          key: certificate.key,
          rejectUnauthorized: false,
          agent: false,
          headers: { [statementHeader]: encodeStatement(statement) },
        },
        (response) => {
          let body = "";
          response
            .on("data", (chunk) => (body += chunk))
            .on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        },
      );
      asked.on("error", reject).end();
    });
  }

  it("tells anybody who it is and what it would ask", async () => {
    await using client = new AgentClient(target, { kind: "anybody" });
    expect(await client.identity()).toMatchObject({ datacenter: self, isolation: "container" });
    expect(await client.quote("open")).toEqual({ willBid: false, reason: "price", message: "asks more", rate: "5" });
    await expect(client.quote("other")).rejects.toMatchObject({ status: 404, refusal: "no-such-order" });
  });

  describe("asked about terms that are no order yet", () => {
    const terms: QuoteTerms = {
      region: "us-west",
      attributes: {},
      allowedDatacenters: [],
      deniedDatacenters: [],
      resources: [{ cpu: "500", memory: "1", disk: "1", count: 1, price: "9", collateral: "0" }],
    };

    it("answers a stranger as a stranger, and an account that proves itself as that account", async () => {
      await using anybody = new AgentClient(target, { kind: "anybody" });
      expect(await anybody.quoteTerms(terms)).toMatchObject({ willBid: false, reason: "isolation" });
      await using account = new AgentClient(target, { kind: "account", signer: tenant });
      expect(await account.quoteTerms(terms, { tenant: tenant.address })).toEqual({ willBid: true, rate: "7" });
    });

    it("refuses who claims to be somebody else, or proves nothing", async () => {
      await using other = new AgentClient(target, { kind: "account", signer: stranger });
      await expect(other.quoteTerms(terms, { tenant: tenant.address })).rejects.toMatchObject({ status: 403 });
      await using anybody = new AgentClient(target, { kind: "anybody" });
      await expect(anybody.quoteTerms(terms, { tenant: tenant.address })).rejects.toMatchObject({
        status: 403,
        refusal: "no-certificate",
      });
    });

    it("does not take a statement about a deployment for one about quotes, nor the other way round", async () => {
      const claims: StatementClaims = {
        chainId,
        account: tenant.address,
        tenant: tenant.address,
        sequence: "0",
        clientKey: "00".repeat(32),
        datacenter: self,
        purpose: "manage",
        expires: 1,
      };
      await expect(signStatement(tenant, claims)).rejects.toThrow(/about a deployment, or a quote/);
      await expect(signStatement(tenant, { ...claims, sequence: "1", purpose: "quote" })).rejects.toThrow(/quote/);
      expect((await listWith({ sequence: "0", purpose: "quote" })).status).toBe(403);
    });

    it("refuses what is too large or no terms", async () => {
      await using client = new AgentClient(target, { kind: "anybody" });
      const many = { ...terms, resources: Array(65).fill(terms.resources[0]) };
      await expect(client.quoteTerms(many)).rejects.toMatchObject({ status: 400, refusal: "malformed" });
      const wide = { ...terms, attributes: { a: "x".repeat(MAX_QUOTE_BYTES) } };
      await expect(client.quoteTerms(wide)).rejects.toMatchObject({ status: 413 });
      const [group] = terms.resources;
      for (const cpu of ["-1", "none", `${2n ** 64n}`]) {
        const wrong = { ...terms, resources: group === undefined ? [] : [{ ...group, cpu }] };
        await expect(client.quoteTerms(wrong)).rejects.toMatchObject({ status: 400, refusal: "malformed" });
      }
    });
  });

  it("takes a manifest from its tenant and gives it back", async () => {
    await using client = new AgentClient(target, { kind: "account", signer: tenant });
    const next = canonicalManifest({ schema: 1, salt: "33".repeat(32), workloads: {}, connections: {} });
    const nextVersion = Buffer.from(manifestVersion(next)).toString("hex");
    const stamps = { "workloads/web": { owner: "o", nonce: "n" } };
    await client.putManifest(deployment(), nextVersion, { manifest: next, stamps });
    expect(await client.manifest(deployment(), nextVersion)).toEqual({ manifest: next, stamps });
    expect(await client.manifests(deployment())).toEqual({ active: version, staged: [nextVersion] });
    await expect(client.putManifest(deployment(), version, { manifest: next, stamps })).rejects.toMatchObject({
      status: 422,
    });
  });

  it("gives the manifest and its parameters to a holder, and lets it stage nothing", async () => {
    await using client = await asPeer("dcx1holder");
    expect((await client.manifest(deployment(), version))?.manifest).toBe(text);
    expect(await client.parameters(deployment())).toEqual({ lease: "l", version, workloads: {} });
    await expect(client.putManifest(deployment(), version, { manifest: text, stamps: {} })).rejects.toMatchObject({
      status: 403,
    });
  });

  it.each(["dcx1former", "dcx1bidder"])(
    "refuses %s, whose certificate is right but who holds no lease",
    async (peer) => {
      await using client = await asPeer(peer);
      await expect(client.manifest(deployment(), version)).rejects.toMatchObject({ status: 403 });
      expect(log).toMatchObject([{ code: "not-a-holder", presented: expect.stringContaining(peer) }]);
    },
  );

  it("refuses a certificate in a holder's name under another root", async () => {
    const forged = await createDatacenterRoot({ chainId, datacenter: "dcx1holder" }, validity());
    await using client = await asPeer("dcx1holder", forged);
    await expect(client.manifest(deployment(), version)).rejects.toMatchObject({ status: 403 });
  });

  it("refuses a holder's certificate of a workload in place of its agent's", async () => {
    const workload = { lease: `${tenant.address}/1/b/1`, name: "web" };
    const leaf = await createLeaf(rootOf("dcx1holder"), { chainId, datacenter: "dcx1holder", workload }, validity());
    await using client = new AgentClient(target, { kind: "peer", certificate: () => leaf });
    await expect(client.manifest(deployment(), version)).rejects.toMatchObject({ status: 403 });
  });

  it("serves the tenant's own statement, so that the refusals below mean something", async () => {
    expect(await listWith({})).toMatchObject({ status: 200 });
  });

  it.each<[string, () => Partial<StatementClaims>]>([
    ["that has expired", () => ({ expires: Math.floor(Date.now() / 1000) - 120 })],
    ["for another datacenter", () => ({ datacenter: "dcx1holder" })],
    ["for another deployment", () => ({ sequence: "2" })],
    ["for another chain", () => ({ chainId: "dcx-other" })],
    ["for another client's key", () => ({ clientKey: "00".repeat(32) })],
    ["for looking on only", () => ({ purpose: "observe" })],
  ])("refuses a statement %s", async (_which, changes) => {
    expect(await listWith(changes())).toMatchObject({ status: 403 });
  });

  it.each<[StatementPurpose, { exec: string; events: string; manifests: string }]>([
    ["exec", { exec: "no-such-workload", events: "statement", manifests: "statement" }],
    ["observe", { exec: "statement", events: "served", manifests: "statement" }],
    ["manage", { exec: "no-such-workload", events: "served", manifests: "served" }],
  ])("takes a statement to %s for that and no more", async (purpose, expected) => {
    events.note(`${tenant.address}/1`, { workloads: {} }, "now");
    await using client = new AgentClient(target, { kind: "account", signer: tenant, purpose });
    const outcome = (asked: Promise<unknown>) =>
      asked.then(
        () => "served",
        ({ refusal }) => refusal,
      );
    expect({
      exec: await outcome(client.exec(deployment(), "web", { command: ["sh"] })),
      events: await outcome(client.events(deployment()).next()),
      manifests: await outcome(client.manifests(deployment())),
    }).toEqual(expected);
  });

  it("runs no command for a stranger", async () => {
    await using client = new AgentClient(target, { kind: "account", signer: stranger, purpose: "exec" });
    const asked = client.exec(deployment(), "web", { command: ["sh"] });
    await expect(asked).rejects.toMatchObject({ status: 403, refusal: "not-a-manager" });
  });

  it("refuses an account that has no say in the deployment", async () => {
    const answer = await listWith({}, stranger);
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "not-a-manager" });
  });

  it("refuses a caller without certificate", async () => {
    const response = await new Promise<number>((resolve, reject) => {
      httpsRequest(
        `${target.urls[0]}/v1/deployments/${tenant.address}/1/manifests`,
        { rejectUnauthorized: false, agent: false },
        (answer) => resolve(answer.resume().statusCode ?? 0),
      )
        .on("error", reject)
        .end();
    });
    expect(response).toBe(403);
  });

  it("serves nobody while its chain state is old", async () => {
    fresh = false;
    await using client = new AgentClient(target, { kind: "account", signer: tenant });
    await expect(client.manifests(deployment())).rejects.toMatchObject({ status: 503, refusal: "chain-unreachable" });
  });

  it("tells the tenant of a lease that ended what is left, and no longer the manifest", async () => {
    view = { ...view, deployments: new Map() };
    await using client = new AgentClient(target, { kind: "account", signer: tenant });
    expect(await client.status(deployment())).toMatchObject({ workloads: {} });
    await expect(client.manifest(deployment(), version)).rejects.toMatchObject({ refusal: "no-lease" });
  });

  it("looks again at the chain for a lease of a block that it has not followed yet", async () => {
    late = view;
    view = { ...view, deployments: new Map() };
    await using client = new AgentClient(target, { kind: "account", signer: tenant });
    expect(await client.manifests(deployment())).toMatchObject({ active: version });
  });

  it("wakes who waits for news when there are some, and not before", async () => {
    await using client = new AgentClient(target, { kind: "account", signer: tenant });
    const first = await client.status(deployment());
    const next = client.status(deployment(), { after: first.cursor, wait: 30_000 });
    board.notify();
    status = { ...status, cursor: "b", complete: false };
    // Notified again and again: the request may not have arrived at the first.
    const timer = setInterval(() => board.notify(), 20);
    try {
      expect(await next).toMatchObject({ cursor: "b", complete: false });
    } finally {
      clearInterval(timer);
    }
  });

  it("goes on serving over a renewed certificate", async () => {
    const leaf = await createLeaf(rootOf(self), { chainId, datacenter: self }, validity());
    api.server.setSecureContext(agentServerOptions(leaf));
    await using client = new AgentClient(target, { kind: "account", signer: tenant });
    expect(await client.manifests(deployment())).toMatchObject({ active: version });
  });
});
