import { request as httpsRequest } from "node:https";
import {
  type AccountSigner,
  AgentClient,
  type CertificateWithKey,
  canonicalManifest,
  certificateDer,
  createClientCertificate,
  createDatacenterRoot,
  createLeaf,
  encodeStatement,
  manifestVersion,
  publicKeyDigest,
  type StatementClaims,
  signerFromPrivateKey,
  signStatement,
  statementHeader,
} from "@dcx/protocol";
import { chainId, deployment, type Holder, Holders, id, tenantKey } from "../manifest/testing/holders";

const holder = "dcx1dc0";
const peer = "dcx1dc1";
const secret = "a-very-secret-database-url";
const text = canonicalManifest({
  schema: 1,
  salt: "22".repeat(32),
  workloads: { web: { infrastructure: "dc0", container: { image: "example/web:1" }, environment: { URL: secret } } },
  connections: {},
});
const version = Buffer.from(manifestVersion(text)).toString("hex");
const base = `/v1/deployments/${deployment}`;
/** Everything by which a manifest, or some of it, is had. */
const ways = [
  `${base}/manifests/${version}`,
  `${base}/manifests/${version}/text`,
  `${base}/manifests/${version}/stamps`,
];

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One holder's agent over real TLS, asked for the manifest that it holds by all who may not have it. */
describe("a manifest that a datacenter holds", () => {
  let holders: Holders;
  let agent: Holder;
  let tenant: AccountSigner;
  let stranger: AccountSigner;
  /** Of the tenant's client. */
  let client: CertificateWithKey;

  beforeAll(async () => {
    tenant = await signerFromPrivateKey(tenantKey);
    stranger = await signerFromPrivateKey("02".repeat(32));
    client = await createClientCertificate(validity());
    holders = await Holders.create(4, version);
    agent = await holders.start(holder);
    agent.store.put(deployment, version, { manifest: text, stamps: {} });
    holders.endLease("dcx1dc2");
    holders.onlyBids("dcx1dc3");
  });
  afterEach(() => {
    // Whatever was refused, nothing of it is said anywhere.
    expect(JSON.stringify(holders.log)).not.toContain(secret);
    holders.log.length = 0;
  });
  afterAll(() => holders.close());

  function ask(
    path: string,
    certificate: CertificateWithKey | undefined,
    statement?: string,
    upload?: object,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asking = httpsRequest(`${holders.urlOf(holder)}${path}`, {
        ...(certificate === undefined ? {} : { cert: certificate.certificate, key: certificate.key }),
        method: upload === undefined ? "GET" : "PUT",
        headers: {
          ...(statement === undefined ? {} : { [statementHeader]: statement }),
          ...(upload === undefined ? {} : { "content-type": "application/json" }),
        },
        rejectUnauthorized: false,
        agent: false,
      });
      asking.once("response", (response) => {
        let body = "";
        response
          .on("data", (chunk) => (body += chunk))
          .on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asking.once("error", reject);
      asking.end(upload === undefined ? undefined : JSON.stringify(upload));
    });
  }

  /** A statement of the tenant about this deployment, this datacenter and its own client, but for the changes. */
  async function statement(changes: Partial<StatementClaims> = {}, signer = tenant): Promise<string> {
    const claims: StatementClaims = {
      chainId,
      account: signer.address,
      tenant: id.tenant,
      sequence: "1",
      clientKey: publicKeyDigest(certificateDer(client.certificate)),
      datacenter: holder,
      purpose: "manage",
      expires: Math.floor(Date.now() / 1000) + 60,
      ...changes,
    };
    return encodeStatement(await signStatement(signer, claims));
  }

  async function expectRefused(certificate: CertificateWithKey | undefined, stated?: string): Promise<void> {
    for (const way of ways) {
      const { status, body } = await ask(way, certificate, stated);
      expect({ way, status }).toEqual({ way, status: 403 });
      expect(body).not.toContain(secret);
      expect(holders.log.splice(0)).toMatchObject([{ msg: expect.stringContaining("request refused") }]);
    }
  }

  it("is given to a holder, and to its tenant, so that the refusals below mean something", async () => {
    const leaf = await holders.leafOf(peer);
    for (const way of ways) expect((await ask(way, leaf)).status).toBeLessThan(300);
    expect((await ask(ways[1] ?? "", leaf)).body).toBe(text);
    expect((await ask(ways[0] ?? "", client, await statement())).body).toContain(secret);
  });

  it("is refused to a former holder", async () => expectRefused(await holders.leafOf("dcx1dc2")));
  it("is refused to a datacenter that only bid", async () => expectRefused(await holders.leafOf("dcx1dc3")));
  it("is refused to who presents no certificate", async () => expectRefused(undefined));

  it("is refused to a stranger with a valid certificate", async () => {
    const datacenter = "dcx1stranger";
    const root = await createDatacenterRoot({ chainId, datacenter }, validity());
    await expectRefused(await createLeaf(root, { chainId, datacenter }, validity()));
    await expectRefused(client);
    await expectRefused(client, await statement({}, stranger));
  });

  it("is refused to who has a look-alike of a holder's root", async () => {
    const root = await createDatacenterRoot({ chainId, datacenter: peer }, validity());
    await expectRefused(await createLeaf(root, { chainId, datacenter: peer }, validity()));
  });

  it("is refused to who relays the tenant's statement from another client or datacenter", async () => {
    const relayed = await statement();
    await expectRefused(await createClientCertificate(validity()), relayed);
    await expectRefused(await holders.leafOf("dcx1dc2"), relayed);
  });

  it.each<[string, () => Partial<StatementClaims>]>([
    ["that has expired", () => ({ expires: Math.floor(Date.now() / 1000) - 120 })],
    ["for another datacenter", () => ({ datacenter: peer })],
    ["for another deployment", () => ({ sequence: "2" })],
    ["for another chain", () => ({ chainId: "dcx-other" })],
    ["for looking on only", () => ({ purpose: "observe" })],
  ])("is refused with a statement of the tenant %s", async (_which, changes) => {
    await expectRefused(client, await statement(changes()));
  });

  it.each<[string, string]>([
    ["has another hash", text.replace(secret, "another")],
    ["is truncated", text.slice(0, -1)],
    ["is longer", `${text} `],
  ])("is not taken in place of one that %s", async (_what, manifest) => {
    const { status, body } = await ask(ways[0] ?? "", client, await statement(), { manifest, stamps: {} });
    expect({ status, code: JSON.parse(body).code }).toEqual({ status: 422, code: "bad-manifest" });
    expect(body).not.toContain(secret);
    expect(agent.store.get(deployment, version)?.manifest).toBe(text);
  });

  it("is not given under a version that is no longer, or never was, held", async () => {
    const stale = "ab".repeat(32);
    const leaf = await holders.leafOf(peer);
    for (const way of ways) {
      const { status, body } = await ask(way.replace(version, stale), leaf);
      expect({ status, code: JSON.parse(body).code }).toEqual({ status: 404, code: "no-such-version" });
    }
    await using asking = new AgentClient(holders.targetOf(holder), { kind: "peer", certificate: () => leaf });
    expect(await asking.manifest(id, stale)).toBeUndefined();
  });

  it("is given from the byte on that is asked for, and nothing beyond its end", async () => {
    const leaf = await holders.leafOf(peer);
    await using asking = new AgentClient(holders.targetOf(holder), { kind: "peer", certificate: () => leaf });
    const part = await asking.manifestPart(id, version, 10, AbortSignal.timeout(5_000));
    const chunks: Uint8Array[] = [];
    for await (const chunk of part?.content ?? []) chunks.push(chunk);
    expect(part?.total).toBe(text.length);
    expect(Buffer.concat(chunks).toString()).toBe(text.slice(10));
    const beyond = asking.manifestPart(id, version, text.length, AbortSignal.timeout(5_000));
    await expect(beyond).rejects.toMatchObject({ status: 416, refusal: "no-such-part" });
  });
});

/** A holder that lacks the manifest, asked by another one that lacks it too. */
describe("a manifest that a datacenter does not hold yet", () => {
  let holders: Holders;
  let agent: Holder;
  let asking: AgentClient;

  beforeEach(async () => {
    holders = await Holders.create(2, version);
    agent = await holders.start(holder);
    const leaf = await holders.leafOf(peer);
    asking = new AgentClient(holders.targetOf(holder), { kind: "peer", certificate: () => leaf });
  });
  afterEach(async () => {
    await asking.close();
    await holders.close();
  });

  /** What a peer is answered that asks for it now and waits. */
  async function waiting(wait: number): Promise<{ answer: ReturnType<AgentClient["manifestPart"]> }> {
    const answer = asking.manifestPart(id, version, 0, AbortSignal.timeout(20_000), wait);
    answer.catch(() => undefined);
    // By then the first question has come, too.
    await expect(asking.manifestPart(id, version, 0, AbortSignal.timeout(20_000))).resolves.toBeUndefined();
    return { answer };
  }

  it("is given to who waits for it, as soon as it comes", async () => {
    const { answer } = await waiting(20_000);
    agent.store.put(deployment, version, { manifest: text, stamps: {} });
    await expect(answer).resolves.toMatchObject({ total: text.length });
  });

  it("is not given where that one's lease ended while it waited", async () => {
    const { answer } = await waiting(20_000);
    holders.endLease(peer);
    agent.store.put(deployment, version, { manifest: text, stamps: {} });
    await expect(answer).rejects.toMatchObject({ status: 403, refusal: "not-a-holder" });
    expect(holders.log).toContainEqual(expect.objectContaining({ msg: "request refused", code: "not-a-holder" }));
  });

  it("is waited for as long as the other one wants to", async () => {
    const { answer } = await waiting(500);
    await expect(answer).resolves.toBeUndefined();
  });
});

function validity() {
  const hour = 3_600_000;
  return { notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) };
}
