import type { OfflineAminoSigner } from "@cosmjs/amino";
import type { CertificateWithKey } from "../certificates/x509";
import type { ManifestEnvelope } from "../manifest/types";
import type {
  ConnectionParameters,
  DeploymentStatus,
  Identity,
  LogLine,
  ManifestDownload,
  ManifestList,
  Quote,
} from "./api";
import type { StatementPurpose } from "./statement";

/** The agent did not answer: no connection, a timeout, a connection that broke. Says nothing about what it holds. */
export declare class AgentUnreachable extends Error {
  readonly code: "agent-unreachable";
  readonly datacenter: string;
  readonly urls: readonly string[];
}

/** Who answers is not the datacenter: its certificate is not under that one's on-chain root. Nothing was sent to it. */
export declare class AgentNotTrusted extends Error {
  readonly code: "agent-not-trusted";
  readonly datacenter: string;
  readonly url: string;
}

/** The agent answered, with a refusal. */
export declare class AgentRefused extends Error {
  readonly code: "agent-refused";
  readonly datacenter: string;
  readonly status: number;
  /** The `code` of the ApiError. */
  readonly refusal: string;
}

/** Who asks. */
export type AgentCaller =
  | { readonly kind: "anybody" }
  | {
      readonly kind: "account";
      readonly signer: OfflineAminoSigner;
      /** Default: the signer's first account. */
      readonly address?: string;
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

export interface AgentClientOptions {
  /** For a request other than a log or a long poll, connecting included, in ms. Default 10 000. */
  readonly timeout?: number;
  /** Largest answer that is read, in bytes. Default 4 MiB. */
  readonly maxResponseBytes?: number;
}

export interface AgentCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A deployment as the agent's paths name it. */
export interface AgentDeployment {
  readonly tenant: string;
  readonly sequence: bigint;
}

/**
 * Asks one datacenter's agent. Every method throws AgentUnreachable, AgentNotTrusted, AgentRefused, or the signal's
 * reason. Nothing is written to a peer whose certificate is not under one of the target's roots.
 */
export declare class AgentClient implements AsyncDisposable {
  constructor(target: AgentTarget, caller: AgentCaller, options?: AgentClientOptions);

  identity(options?: AgentCallOptions): Promise<Identity>;
  /** `order`: text id `<tenant>/<sequence>/<infrastructure>/<generation>`. */
  quote(order: string, options?: AgentCallOptions): Promise<Quote>;
  manifests(deployment: AgentDeployment, options?: AgentCallOptions): Promise<ManifestList>;
  /** `version` in hexadecimal. */
  putManifest(
    deployment: AgentDeployment,
    version: string,
    manifest: ManifestEnvelope,
    options?: AgentCallOptions,
  ): Promise<void>;
  /** Undefined: the agent holds no such version. The hash is NOT checked here. */
  manifest(
    deployment: AgentDeployment,
    version: string,
    options?: AgentCallOptions,
  ): Promise<ManifestDownload | undefined>;
  /** With `after` (a cursor) it waits up to `wait` ms for a newer one, then answers what there is. */
  status(
    deployment: AgentDeployment,
    options?: AgentCallOptions & { readonly after?: string; readonly wait?: number },
  ): Promise<DeploymentStatus>;
  logs(
    deployment: AgentDeployment,
    workload: string,
    options?: AgentCallOptions & { readonly follow?: boolean; readonly tail?: number; readonly instance?: number },
  ): AsyncIterable<LogLine>;
  parameters(deployment: AgentDeployment, options?: AgentCallOptions): Promise<ConnectionParameters>;

  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
