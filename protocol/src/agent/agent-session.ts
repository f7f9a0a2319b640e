import type { OfflineAminoSigner } from "@cosmjs/amino";
import type { Pool } from "undici";
import { PeerVerifier } from "../certificates/peer-verifier";
import {
  type CertificateWithKey,
  certificateDer,
  createClientCertificate,
  publicKeyDigest,
} from "../certificates/x509";
import { connectToAgent } from "./agent-connector";
import { encodeStatement, NO_DEPLOYMENT, type StatementPurpose, signStatement, statementHeader } from "./statement";

/** Who asks. */
export type AgentCaller =
  | { readonly kind: "anybody" }
  | {
      readonly kind: "account";
      readonly signer: OfflineAminoSigner;
      /** Default: the signer's first account. */
      readonly address?: string;
      /** Default: "manage". */
      readonly purpose?: StatementPurpose;
    }
  | { readonly kind: "peer"; readonly certificate: () => CertificateWithKey | Promise<CertificateWithKey> };

export interface AgentTarget {
  readonly chainId: string;
  /** Its address. */
  readonly datacenter: string;
  /** Base URLs of its agent, as on the chain; tried in order. */
  readonly urls: readonly string[];
  /** DER of its roots on the chain that count now. */
  readonly roots: readonly Uint8Array[];
}

/** A deployment as the agent's paths name it. */
export interface AgentDeployment {
  readonly tenant: string;
  readonly sequence: bigint;
}

/** Milliseconds that a session, its client certificate and its statements count. */
const sessionLifetime = 60 * 60_000;
/** Milliseconds that another machine's clock may be behind. */
const clockSkew = 5 * 60_000;
const longestTimer = 2 ** 31 - 1;

/** One identity towards one agent: a client certificate, the statements over its key, and the open connections. */
export class AgentSession {
  private readonly pools = new Map<string, Pool>();
  private readonly statements = new Map<string, Promise<string>>();

  private constructor(
    private readonly target: AgentTarget,
    private readonly caller: AgentCaller,
    private readonly proxy: URL | undefined,
    private readonly certificate: CertificateWithKey | undefined,
    private readonly verifier: PeerVerifier,
    private readonly newPool: (origin: string, options: Pool.Options) => Pool,
    /** When to start a new session, in ms since 1970. */
    readonly renewAt: number,
  ) {}

  static async start(
    target: AgentTarget,
    caller: AgentCaller,
    proxy: URL | undefined,
    now: number,
  ): Promise<AgentSession> {
    const [{ Pool }, certificate] = await Promise.all([import("undici"), certificateOf(caller, now)]);
    const newPool = (origin: string, options: Pool.Options) => new Pool(origin, options);
    return new AgentSession(target, caller, proxy, certificate, new PeerVerifier(), newPool, now + sessionLifetime / 2);
  }

  /** The connections to one of the agent's URLs. Every one leads to the agent, or to nobody. */
  pool(url: URL): Pool {
    const known = this.pools.get(url.origin);
    if (known !== undefined) return known;
    const pool = this.newPool(url.origin, {
      connections: 32,
      // A root that leaves the chain must not be trusted for long by way of an idle connection.
      keepAliveTimeout: 10_000,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, done) => {
        this.connect(url).then(
          (socket) => done(null, socket),
          (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null),
        );
      },
    });
    this.pools.set(url.origin, pool);
    return pool;
  }

  /** A connection of one's own. It leads to the agent, or to nobody. */
  async open(url: URL) {
    return await this.connect(url);
  }

  /** Headers by which the agent knows who asks about this deployment. */
  async headers(deployment: AgentDeployment | undefined): Promise<Record<string, string>> {
    if (this.caller.kind !== "account" || deployment === undefined) return {};
    const key = `${deployment.tenant}/${deployment.sequence}`;
    let statement = this.statements.get(key);
    if (statement === undefined) {
      statement = this.sign(deployment);
      this.statements.set(key, statement);
      // A signer that could not be asked now may be asked again.
      statement.catch(() => this.statements.delete(key));
    }
    return { [statementHeader]: await statement };
  }

  /** Ends the connections, those in use included. */
  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private async connect(url: URL) {
    const { chainId, datacenter, roots } = this.target;
    // The request that waits for this connection has its own timeout; this one ends an attempt nobody waits for.
    const signal = AbortSignal.timeout(30_000);
    const expected = { chainId, datacenter, url, roots, proxy: this.proxy };
    const { socket, notAfter } = await connectToAgent(expected, this.certificate, this.verifier, signal);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    // A connection proves who the other end is for as long as the certificate counts.
    const lifetime = Math.min(notAfter.getTime() - Date.now(), longestTimer);
    const expiry = setTimeout(() => socket.destroy(), lifetime);
    expiry.unref();
    socket.once("close", () => clearTimeout(expiry));
    return socket;
  }

  private async sign(deployment: AgentDeployment): Promise<string> {
    const { caller, certificate, target } = this;
    if (caller.kind !== "account" || certificate === undefined) throw new Error("Only an account makes statements.");
    const account = caller.address ?? (await caller.signer.getAccounts())[0]?.address;
    if (account === undefined) throw new Error("The signer holds no account that could make a statement.");
    const statement = await signStatement(caller.signer, {
      chainId: target.chainId,
      account,
      tenant: deployment.tenant,
      sequence: deployment.sequence.toString(),
      clientKey: publicKeyDigest(certificateDer(certificate.certificate)),
      datacenter: target.datacenter,
      purpose: deployment.sequence === NO_DEPLOYMENT ? "quote" : (caller.purpose ?? "manage"),
      expires: Math.floor((Date.now() + sessionLifetime) / 1000),
    });
    return encodeStatement(statement);
  }
}

async function certificateOf(caller: AgentCaller, now: number): Promise<CertificateWithKey | undefined> {
  if (caller.kind === "anybody") return undefined;
  if (caller.kind === "peer") return caller.certificate();
  return createClientCertificate({
    notBefore: new Date(now - clockSkew),
    notAfter: new Date(now + sessionLifetime + clockSkew),
  });
}
