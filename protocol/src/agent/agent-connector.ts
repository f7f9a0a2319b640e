import { constants } from "node:crypto";
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import type { PeerVerifier } from "../certificates/peer-verifier";
import type { CertificateWithKey } from "../certificates/x509";
import { AgentNotTrusted } from "./agent-errors";
import { connectThroughProxy } from "./proxied-socket";

/** Which agent a connection must lead to. */
export interface ExpectedAgent {
  readonly chainId: string;
  readonly datacenter: string;
  readonly url: URL;
  /** DER, as on the chain. */
  readonly roots: readonly Uint8Array[];
  /** HTTP proxy through which it is reached. */
  readonly proxy?: URL | undefined;
}

/** A connection whose other end has proven to be the agent, and when that proof ends. */
export interface AgentConnection {
  readonly socket: TLSSocket;
  readonly notAfter: Date;
}

/**
 * Opens a TLS 1.3 connection and hands it out only after the other end's certificate has been found under one of
 * the roots, for this datacenter: so no byte of a request reaches anybody else. OpenSSL's own check is off, for it
 * would match host names and the system's roots; no session is ever resumed.
 * Throws AgentNotTrusted, the error of the connection, or the signal's reason.
 */
export async function connectToAgent(
  expected: ExpectedAgent,
  client: CertificateWithKey | undefined,
  verifier: PeerVerifier,
  signal: AbortSignal,
): Promise<AgentConnection> {
  const { url, proxy } = expected;
  signal.throwIfAborted();
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || "443");
  const way = proxy === undefined ? { host, port } : { socket: await connectThroughProxy(proxy, host, port, signal) };
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      ...way,
      rejectUnauthorized: false,
      secureContext: contextOf(client ?? nobody),
      ALPNProtocols: ["http/1.1"],
    });
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      socket.off("close", onClose);
      act();
    };
    const fail = (error: unknown) =>
      settle(() => {
        socket.on("error", () => undefined);
        socket.destroy();
        reject(error);
      });
    const onAbort = () => fail(signal.reason);
    const onError = (error: Error) => fail(error);
    const onClose = () => fail(new Error("the connection was closed during the handshake"));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", onError);
    socket.on("close", onClose);
    socket.once("secureConnect", () => {
      const leaf = socket.getPeerX509Certificate()?.raw;
      const identity = { chainId: expected.chainId, datacenter: expected.datacenter };
      const verdict = verifier.verify(leaf, expected.roots, new Date(), identity);
      if (verdict.valid) settle(() => resolve({ socket, notAfter: verdict.notAfter }));
      else fail(new AgentNotTrusted(expected.datacenter, url.href, verdict.message));
    });
  });
}

const nobody = {};
/** An agent calls many others with one certificate: it is read once. */
const contexts = new WeakMap<object, SecureContext>();

function contextOf(client: CertificateWithKey | typeof nobody): SecureContext {
  const known = contexts.get(client);
  if (known !== undefined) return known;
  const context = createSecureContext({
    minVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...("key" in client ? { cert: client.certificate, key: client.key } : {}),
  });
  contexts.set(client, context);
  return context;
}
