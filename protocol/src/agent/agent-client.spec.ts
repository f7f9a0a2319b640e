import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { PeerVerifier } from "../certificates/peer-verifier";
import { type CertificateWithKey, certificateDer, createDatacenterRoot, createLeaf } from "../certificates/x509";
import { type AccountSigner, signerFromPrivateKey } from "../signer/account-signer";
import { AgentClient, type AgentClientOptions } from "./agent-client";
import { AgentAnswerInvalid, AgentNotTrusted, AgentRefused, AgentUnreachable } from "./agent-errors";
import type { AgentCaller, AgentTarget } from "./agent-session";
import { type AuthenticationContext, agentServerOptions, authenticateCaller } from "./peer-authentication";
import { statementHeader } from "./statement";

const chainId = "dcx-test";
const sierra = "dcx1sierra";
const tidewater = "dcx1tidewater";
const hour = 3_600_000;
const today = { notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) };
const version = "ab".repeat(32);

let sierraRoot: CertificateWithKey;
let tidewaterRoot: CertificateWithKey;
let sierraLeaf: CertificateWithKey;
let tenant: AccountSigner;
let verifier: PeerVerifier;
const open: { close(): unknown }[] = [];

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

interface Agent {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  /** Of requests that reached it. */
  readonly seen: string[];
}

beforeAll(async () => {
  sierraRoot = await createDatacenterRoot({ chainId, datacenter: sierra }, today);
  tidewaterRoot = await createDatacenterRoot({ chainId, datacenter: tidewater }, today);
  sierraLeaf = await createLeaf(sierraRoot, { chainId, datacenter: sierra }, today);
  tenant = await signerFromPrivateKey("11".repeat(32));
  verifier = new PeerVerifier();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((thing) => thing.close()));
});

async function agent(identity: CertificateWithKey, handler: Handler): Promise<Agent> {
  const seen: string[] = [];
  const server = createServer(agentServerOptions(identity), (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    void handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  open.push({
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return { url: `https://127.0.0.1:${port}`, port, server, seen };
}

function client(
  urls: readonly string[],
  caller: AgentCaller = { kind: "anybody" },
  changes: Partial<AgentTarget> = {},
  options: AgentClientOptions = {},
): AgentClient {
  const target = { chainId, datacenter: sierra, urls, roots: [certificateDer(sierraRoot.certificate)], ...changes };
  const made = new AgentClient(target, caller, { timeout: 3_000, ...options });
  open.push(made);
  return made;
}

function answer(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

const identity = {
  chainId,
  datacenter: sierra,
  region: "us-west",
  isolation: "sandbox",
  unenforced: [],
  version: "0.1.0",
  height: "7",
};
const deployment = () => ({ tenant: tenant.address, sequence: 1n });

function context(): AuthenticationContext {
  return {
    chainId,
    datacenter: sierra,
    now: new Date(),
    mayManage: (account) => account === tenant.address,
    holderRoots: () => new Map([[tidewater, [certificateDer(tidewaterRoot.certificate)]]]),
  };
}

/** Answers the caller that the server has found out, or its refusal. */
const whoAmI: Handler = async (request, response) => {
  const verdict = await authenticateCaller(
    {
      certificate: (request.socket as TLSSocket).getPeerX509Certificate()?.raw,
      statement: [request.headers[statementHeader]].flat()[0],
    },
    { ...deployment(), purpose: "manage" },
    context(),
    verifier,
  );
  if (verdict.accepted) answer(response, { active: JSON.stringify(verdict.caller), staged: [] });
  else answer(response, { code: verdict.code, message: verdict.message }, 401);
};

describe("whom the client talks to", () => {
  it("is the agent under the datacenter's root", async () => {
    const { url } = await agent(sierraLeaf, (_request, response) => answer(response, identity));
    await expect(client([url]).identity()).resolves.toEqual(identity);
  });

  it.each([
    [
      "a look-alike root with the same subject",
      async () => {
        const lookalike = await createDatacenterRoot({ chainId, datacenter: sierra }, today);
        return createLeaf(lookalike, { chainId, datacenter: sierra }, today);
      },
    ],
    ["another datacenter's root", async () => createLeaf(tidewaterRoot, { chainId, datacenter: sierra }, today)],
    [
      "its root, for a workload only",
      async () =>
        createLeaf(sierraRoot, { chainId, datacenter: sierra, workload: { lease: "a/1/b/1", name: "web" } }, today),
    ],
    [
      "its root, for another chain",
      async () => createLeaf(sierraRoot, { chainId: "dcx-other", datacenter: sierra }, today),
    ],
    [
      "its root, expired",
      async () =>
        createLeaf(sierraRoot, { chainId, datacenter: sierra }, { ...today, notAfter: new Date(Date.now() - 60_000) }),
    ],
  ])("is never who has a certificate under %s: not a byte reaches it", async (_name, certificate) => {
    const impostor = await agent(await certificate(), (_request, response) => answer(response, identity));
    let received = 0;
    impostor.server.on("secureConnection", (socket) => socket.on("data", (data) => (received += data.length)));
    const caller: AgentCaller = { kind: "account", signer: tenant };
    const upload = client([impostor.url], caller).putManifest(deployment(), version, {
      manifest: "secret",
      stamps: {},
    });
    await expect(upload).rejects.toThrow(AgentNotTrusted);
    expect(impostor.seen).toEqual([]);
    expect(received).toBe(0);
  });

  it("is the next address when the first is an impostor or silent", async () => {
    const impostor = await agent(
      await createLeaf(tidewaterRoot, { chainId, datacenter: tidewater }, today),
      () => undefined,
    );
    const real = await agent(sierraLeaf, (_request, response) => answer(response, identity));
    const gone = await agent(sierraLeaf, () => undefined);
    gone.server.close();
    await expect(client([impostor.url, gone.url, real.url]).identity()).resolves.toEqual(identity);
  });
});

describe("whom the agent sees", () => {
  it("is the tenant, by a fresh certificate and a statement over it", async () => {
    const { url } = await agent(sierraLeaf, whoAmI);
    const { active } = await client([url], { kind: "account", signer: tenant }).manifests(deployment());
    expect(JSON.parse(active ?? "")).toEqual({ kind: "account", account: tenant.address });
  });

  it("is a peer, by a certificate under its root", async () => {
    const { url } = await agent(sierraLeaf, whoAmI);
    const certificate = () => createLeaf(tidewaterRoot, { chainId, datacenter: tidewater }, today);
    const { active } = await client([url], { kind: "peer", certificate }).manifests(deployment());
    expect(JSON.parse(active ?? "")).toEqual({ kind: "peer", datacenter: tidewater });
  });

  it.each<[string, string, () => Promise<AgentCaller>]>([
    ["nobody without a certificate", "no-certificate", async () => ({ kind: "anybody" })],
    [
      "nobody for a stranger's statement",
      "not-a-manager",
      async () => ({
        kind: "account",
        signer: await signerFromPrivateKey("22".repeat(32)),
      }),
    ],
    [
      "nobody where the statement does not allow it",
      "statement",
      async () => ({
        kind: "account",
        signer: tenant,
        purpose: "observe",
      }),
    ],
    [
      "no peer without a lease",
      "not-a-holder",
      async () => ({
        kind: "peer",
        certificate: () => createLeaf(sierraRoot, { chainId, datacenter: tidewater }, today),
      }),
    ],
    [
      "no peer with an expired certificate",
      "certificate",
      async () => ({
        kind: "peer",
        certificate: () =>
          createLeaf(
            tidewaterRoot,
            { chainId, datacenter: tidewater },
            { ...today, notAfter: new Date(Date.now() - 1) },
          ),
      }),
    ],
    [
      "no peer by a workload's certificate",
      "certificate",
      async () => ({
        kind: "peer",
        certificate: () =>
          createLeaf(
            tidewaterRoot,
            { chainId, datacenter: tidewater, workload: { lease: "a/1/b/1", name: "w" } },
            today,
          ),
      }),
    ],
  ])("is %s", async (_name, code, caller) => {
    const { url } = await agent(sierraLeaf, whoAmI);
    await expect(client([url], await caller()).manifests(deployment())).rejects.toMatchObject({
      constructor: AgentRefused,
      status: 401,
      refusal: code,
    });
  });

  it("is nobody who brings another's statement with a certificate of their own", async () => {
    let stolen = "";
    const { url: eavesdropper } = await agent(sierraLeaf, (request, response) => {
      stolen = [request.headers[statementHeader]].flat()[0] ?? "";
      answer(response, { staged: [] });
    });
    await client([eavesdropper], { kind: "account", signer: tenant }).manifests(deployment());
    const thief = await createLeaf(tidewaterRoot, { chainId, datacenter: tidewater }, today);
    const verdict = await authenticateCaller(
      { certificate: certificateDer(thief.certificate), statement: stolen },
      { ...deployment(), purpose: "manage" },
      context(),
      verifier,
    );
    expect(verdict).toMatchObject({ accepted: false, code: "statement", message: /another client certificate/ });
    expect(verdict).toMatchObject({ presented: expect.not.stringContaining(stolen) });
  });

  it("has no session to resume: an expired certificate would get in by it", async () => {
    const { port } = await agent(sierraLeaf, (_request, response) => answer(response, identity));
    const withTickets = createServer({ ...agentServerOptions(sierraLeaf), secureOptions: 0 }, (_request, response) => {
      answer(response, identity);
    });
    await new Promise<void>((resolve) => withTickets.listen(0, "127.0.0.1", resolve));
    open.push({ close: () => new Promise((resolve) => withTickets.close(resolve)) });
    expect(await resumes(port)).toBe(false);
    expect(await resumes((withTickets.address() as AddressInfo).port)).toBe(true);
  });
});

/** Whether a second connection continues the session of the first. */
async function resumes(port: number): Promise<boolean> {
  let session: Buffer | undefined;
  let reused = false;
  for (let connection = 0; connection < 2; connection++) {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...(session && { session }) });
    socket.on("session", (given) => {
      session = given;
    });
    socket.on("secureConnect", () => {
      reused = socket.isSessionReused();
    });
    socket.write("GET /v1/identity HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    socket.resume();
    await new Promise((resolve) => socket.on("close", resolve));
  }
  return reused;
}

describe("requests", () => {
  it("carry what the API says", async () => {
    const bodies: string[] = [];
    const { url, seen } = await agent(sierraLeaf, async (request, response) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      bodies.push(body);
      if (request.method === "PUT") response.writeHead(204).end();
      else if (request.method === "POST") answer(response, { willBid: true, rate: "5" });
      else answer(response, { cursor: "2", height: "9", complete: true, workloads: {}, connections: {} });
    });
    const asked = client([url], { kind: "account", signer: tenant });
    await asked.putManifest(deployment(), version, { manifest: "{}", stamps: {} });
    await expect(asked.quote("a/1/b/1")).resolves.toEqual({ willBid: true, rate: "5" });
    await expect(asked.status(deployment(), { after: "1", wait: 10 })).resolves.toMatchObject({ cursor: "2" });
    expect(seen).toEqual([
      `PUT /v1/deployments/${tenant.address}/1/manifests/${version}`,
      "POST /v1/quotes",
      `GET /v1/deployments/${tenant.address}/1/status?after=1&wait=10`,
    ]);
    expect(bodies).toEqual(['{"manifest":"{}","stamps":{}}', '{"order":"a/1/b/1"}', ""]);
  });

  it("tell a version that the agent does not hold from a refusal", async () => {
    const { url } = await agent(sierraLeaf, (request, response) => {
      const status = request.url?.endsWith(version) ? 404 : 503;
      answer(response, { code: "chain-unreachable", message: "the chain is unreachable" }, status);
    });
    const asked = client([url], { kind: "account", signer: tenant });
    await expect(asked.manifest(deployment(), version)).resolves.toBeUndefined();
    await expect(asked.manifests(deployment())).rejects.toThrow(
      /refused GET .*the chain is unreachable \(chain-unreachable, HTTP 503\)/,
    );
  });

  it("end with the timeout, the signal, or a lost connection", async () => {
    const { url } = await agent(sierraLeaf, (request, response) => {
      if (request.method === "POST") response.destroy();
    });
    await expect(client([url], undefined, {}, { timeout: 200 }).identity()).rejects.toThrow(/no answer within 200 ms/);
    await expect(client([url]).quote("a/1/b/1")).rejects.toThrow(AgentUnreachable);
    const leaving = new AbortController();
    const asked = client([url]).identity({ signal: leaving.signal });
    setTimeout(() => leaving.abort(new Error("the user left")), 50);
    await expect(asked).rejects.toThrow("the user left");
  });

  it("bound what they read, and show nothing of what they can't understand", async () => {
    const { url } = await agent(sierraLeaf, (request, response) => {
      if (request.method === "POST") answer(response, { willBid: "secret" });
      else response.writeHead(200).end("x".repeat(2_000));
    });
    const asked = client([url], undefined, {}, { maxResponseBytes: 1_000 });
    await expect(asked.identity()).rejects.toThrow(/more than 1000 bytes/);
    const failure = await asked.quote("a/1/b/1").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AgentAnswerInvalid);
    expect(String(failure)).not.toContain("secret");
  });

  it("read a log line by line, as it comes, until the caller leaves", async () => {
    const line = (text: string) =>
      JSON.stringify({ workload: "web", instance: 0, stream: "stdout", time: "2026-01-01T00:00:00Z", line: text });
    let ended = false;
    const { url, seen } = await agent(sierraLeaf, (_request, response) => {
      response.on("close", () => {
        ended = true;
      });
      const text = `${line("one")}\n${line("zwei ☂")}\n${line("three")}\n`;
      // Cut within a character.
      const cut = Buffer.from(text).indexOf(Buffer.from("☂")) + 1;
      response.write(Buffer.from(text).subarray(0, cut));
      response.write(Buffer.from(text).subarray(cut));
    });
    const lines: string[] = [];
    const asked = client([url], { kind: "account", signer: tenant });
    for await (const { line: text } of asked.logs(deployment(), "web", { follow: true, tail: 5 })) {
      lines.push(text);
      if (lines.length === 3) break;
    }
    expect(lines).toEqual(["one", "zwei ☂", "three"]);
    expect(seen).toEqual([`GET /v1/deployments/${tenant.address}/1/workloads/web/logs?follow=true&tail=5`]);
    await new Promise<void>((resolve) => {
      const check = () => (ended ? resolve() : void setImmediate(check));
      check();
    });
  });
});
