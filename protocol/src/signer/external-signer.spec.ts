import { webcrypto } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { encodeStatement, signStatement, verifyStatement } from "../agent/statement";
import { type CertificateWithKey, createClientCertificate, loadX509 } from "../certificates/x509";
import { type Message, messages } from "../client/messages";
import { type KeySigner, signerFromPrivateKey } from "./account-signer";
import { answerSignerRequest } from "./answer-request";
import { ExternalSigner, type SignerTransport } from "./external-signer";
import { openSigner } from "./open-signer";
import { commandTransport } from "./signer-command";
import { remoteTransport } from "./signer-remote";

const privateKey = "0123456789abcdef".repeat(4);
const keyOf = (addressPrefix: string) => signerFromPrivateKey(privateKey, { addressPrefix });
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Asks the other end of the protocol within this process; `change` meddles with what it answers. */
function transport(change: (answer: Record<string, unknown>) => unknown = (answer) => answer): SignerTransport {
  return {
    name: "the signing command test",
    ask: async (request) => change({ ...(await answerSignerRequest(JSON.parse(JSON.stringify(request)), keyOf)) }),
  };
}

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

async function signSend(signer: { readonly address: string } & Parameters<typeof signingClient>[0]) {
  const client = await signingClient(signer);
  const send: Message = messages.send(signer.address, signer.address, 1n, "udcx");
  const fee = { amount: [], gas: "1" };
  return client.sign(signer.address, [send], fee, "", { accountNumber: 1n, sequence: 2, chainId: "dcx-1" });
}

async function signingClient(signer: KeySigner | ExternalSigner) {
  const [{ SigningStargateClient }, { createRegistry }] = await Promise.all([
    import("@cosmjs/stargate"),
    import("../client/messages.js"),
  ]);
  return SigningStargateClient.offline(signer, { registry: await createRegistry() });
}

const claims = {
  chainId: "dcx-1",
  tenant: "dcx1tenant",
  sequence: "1",
  clientKey: "ab".repeat(32),
  datacenter: "dcx1datacenter",
  purpose: "manage" as const,
  expires: Math.floor(Date.now() / 1000) + 60,
};

describe("a signer whose key is elsewhere", () => {
  it("has the same account, and signs transactions and statements as the key itself would", async () => {
    const [own, external] = [await keyOf("dcx"), await ExternalSigner.connect(transport(), "dcx")];
    expect(external.address).toBe(own.address);
    expect((await signSend(external)).signatures).toEqual((await signSend(own)).signatures);
    const statement = await signStatement(external, { ...claims, account: external.address });
    const expected = { ...claims, sequence: 1n, now: Date.now() };
    expect(await verifyStatement(encodeStatement(statement), expected)).toMatchObject({ valid: true });
  });

  it("makes the lower s of a signature with the higher, which chains refuse", async () => {
    const high = transport((answer) => {
      if (typeof answer["signature"] !== "string") return answer;
      const bytes = Buffer.from(answer["signature"], "base64");
      const s = order - BigInt(`0x${bytes.subarray(32).toString("hex")}`);
      bytes.set(Buffer.from(s.toString(16).padStart(64, "0"), "hex"), 32);
      return { ...answer, signature: bytes.toString("base64") };
    });
    const external = await ExternalSigner.connect(high, "dcx");
    expect((await signSend(external)).signatures).toEqual((await signSend(await keyOf("dcx"))).signatures);
  });

  it.each<[string, (answer: Record<string, unknown>) => unknown, RegExp]>([
    ["a refusal", () => ({ dcxSigner: 1, error: "the fee is above the policy's" }), /refused: the fee is above/],
    ["something else", () => ({ hello: 1 }), /does not answer "account" as version 1 of the protocol/],
    ["another version", (answer) => ({ ...answer, dcxSigner: 2 }), /version 1 of the protocol/],
    ["an uncompressed key", (answer) => ({ ...answer, publicKey: "BA==" }), /no compressed secp256k1 key/],
  ])("reports %s", async (_, change, message) => {
    await expect(ExternalSigner.connect(transport(change), "dcx")).rejects.toThrow(message);
  });

  it("does not pass on a signature by another key", async () => {
    const forged = transport((answer) =>
      "signature" in answer ? { ...answer, signature: Buffer.alloc(64, 1).toString("base64") } : answer,
    );
    const external = await ExternalSigner.connect(forged, "dcx");
    await expect(signSend(external)).rejects.toThrow(/no signature by the key of dcx1/);
  });

  it("refuses a statement that is something else than what it shows", async () => {
    const meddling: SignerTransport = {
      name: "meddling",
      ask: (request) =>
        transport().ask(request.operation === "sign-statement" ? { ...request, statement: "something nice" } : request),
    };
    const external = await ExternalSigner.connect(meddling, "dcx");
    await expect(signStatement(external, { ...claims, account: external.address })).rejects.toThrow(
      /not the ADR-36 document/,
    );
  });
});

describe("a signing command", () => {
  const options = { environment: { ...process.env, DCX_PRIVATE_KEY: "hush" }, timeout: 20_000 };
  const node = (script: string) => [process.execPath, "-e", script];

  it("gets the request on its standard input, and none of our secrets", async () => {
    const echo = `let text = ""; process.stdin.on("data", (part) => text += part).on("end", () =>
      process.stdout.write(JSON.stringify({ asked: JSON.parse(text), secret: process.env.DCX_PRIVATE_KEY ?? "none" })))`;
    const request = { dcxSigner: 1, operation: "account", addressPrefix: "dcx" } as const;
    expect(await commandTransport(node(echo), options).ask(request)).toEqual({ asked: request, secret: "none" });
  });

  it.each([
    [
      "that fails, with what it said on standard error",
      `console.error("no card in the reader"); process.exit(3)`,
      /ended with 3:\nno card in the reader/,
    ],
    ["that answers no JSON", `console.log("done")`, /is not one JSON object/],
  ])("reports one %s", async (_, script, message) => {
    const error = await openSigner(
      { kind: "command", command: node(script), timeout: 20_000 },
      { addressPrefix: "dcx", environment: options.environment },
    ).catch(String);
    expect(error).toMatch(message);
    expect(error).not.toContain("operation");
  });

  it("reports one that there is not, and one that gives no answer in time", async () => {
    const request = { dcxSigner: 1, operation: "account", addressPrefix: "dcx" } as const;
    await expect(commandTransport(["dcx-no-such-program"], options).ask(request)).rejects.toThrow(/can't be run/);
    const hanging = commandTransport(node("setInterval(() => {}, 1000)"), { ...options, timeout: 200 });
    await expect(hanging.ask(request)).rejects.toThrow(/gave no answer within 0.2 s/);
  });
});

describe("a remote signer", () => {
  const remote = { token: undefined, certificate: undefined, certificateKey: undefined, authority: undefined };
  const listen = async (server: Server) => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
  const answering =
    (seen: IncomingMessage[] = []): RequestListener =>
    (request, response) => {
      seen.push(request);
      void (async () => {
        const answer = await answerSignerRequest(JSON.parse(await text(request)), keyOf);
        response.writeHead("error" in answer ? 403 : 200).end(JSON.stringify(answer));
      })();
    };

  it("is asked with a bearer token, and again after it did not answer", async () => {
    const seen: IncomingMessage[] = [];
    let failures = 2;
    const port = await listen(
      createServer((request, response) => {
        if (failures-- > 0) response.writeHead(502).end("bad gateway");
        else answering(seen)(request, response);
      }),
    );
    const url = `http://127.0.0.1:${port}/sign`;
    const signer = await openSigner(
      { kind: "remote", ...remote, url, token: "hush", timeout: 10_000 },
      { addressPrefix: "dcx", environment: {} },
    );
    expect(signer.address).toBe((await keyOf("dcx")).address);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(["Bearer hush"]);
  });

  it("is trusted by its authority, and trusts by our certificate", async () => {
    const [server, client] = await Promise.all([serverCertificate(), newClientCertificate()]);
    const port = await listen(
      createHttpsServer(
        {
          cert: server.certificate,
          key: server.key,
          ca: client.certificate,
          requestCert: true,
          rejectUnauthorized: true,
        },
        answering(),
      ),
    );
    const url = `https://localhost:${port}`;
    const mutual = {
      ...remote,
      url,
      certificate: client.certificate,
      certificateKey: client.key,
      authority: server.certificate,
      timeout: 10_000,
    };
    const external = await ExternalSigner.connect(remoteTransport(mutual), "dcx");
    expect((await signSend(external)).signatures).toEqual((await signSend(await keyOf("dcx"))).signatures);
    const request = { dcxSigner: 1, operation: "account", addressPrefix: "dcx" } as const;
    const nobody = { ...mutual, certificate: undefined, certificateKey: undefined, timeout: 500 };
    await expect(remoteTransport(nobody).ask(request)).rejects.toThrow(/gave no answer within 0.5 s/);
    await expect(remoteTransport({ ...mutual, authority: undefined, timeout: 500 }).ask(request)).rejects.toThrow(
      /self-signed certificate/,
    );
  });

  it("is not named with what its URL holds", async () => {
    const port = await listen(createServer((_request, response) => response.writeHead(404).end("none")));
    const url = `http://user:hush@127.0.0.1:${port}/sign?token=hush`;
    const error = await remoteTransport({ ...remote, url, timeout: 5_000 })
      .ask({ dcxSigner: 1, operation: "account", addressPrefix: "dcx" })
      .catch(String);
    expect(error).toMatch(/HTTP 404 and no JSON/);
    expect(error).not.toContain("hush");
  });
});

const validity = () => ({ notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 60_000) });

function newClientCertificate(): Promise<CertificateWithKey> {
  return createClientCertificate(validity());
}

async function serverCertificate(): Promise<CertificateWithKey> {
  const x509 = await loadX509();
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: "01",
      name: "CN=signer",
      ...validity(),
      keys,
      signingAlgorithm: algorithm,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
    },
    webcrypto,
  );
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    certificate: certificate.toString("pem"),
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
  };
}
