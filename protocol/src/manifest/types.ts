/**
 * The manifest as it stands after normalization: what is hashed, handed from tenant to datacenter, and run.
 * Specification: "Manifest", "Workload", "Connection"; design: "The manifest".
 *
 * Absent and default values are left out, so that a later schema gives an old manifest the same version. Sizes are
 * decimal strings of bytes: JSON numbers lose integers above 2^53.
 */
export interface Manifest {
  readonly schema: 1;
  /** 32 bytes in hexadecimal: the manifest holds secrets and its hash is public. */
  readonly salt: string;
  readonly workloads: Readonly<Record<string, ManifestWorkload>>;
  readonly connections: Readonly<Record<string, ManifestConnection>>;
}

export interface ManifestWorkload {
  /** Name of the infrastructure that it is placed in. */
  readonly infrastructure: string;
  readonly container: ManifestContainer;
  readonly command?: readonly string[];
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** TCP ports that it listens on. */
  readonly ports?: readonly number[];
  readonly healthCheck?: ManifestHealthCheck;
  readonly volumes?: Readonly<Record<string, ManifestVolume>>;
  /** What one instance uses at most. Absent: the whole of its slot. */
  readonly compute?: ManifestCompute;
  /** Index of the resource group whose slots it takes. Absent: the smallest that fits. */
  readonly group?: number;
  /** Instances. Absent: 1. */
  readonly count?: number;
  readonly egress?: readonly ManifestEgress[];
}

export interface ManifestContainer {
  /** By tag or digest. */
  readonly image: string;
  readonly credentials?: { readonly username: string; readonly password: string };
}

/** Exactly one of `http`, `tcp` and `command`. */
export interface ManifestHealthCheck {
  /** Path that answers 2xx or 3xx. */
  readonly http?: string;
  readonly tcp?: true;
  readonly command?: readonly string[];
  /** For `http` and `tcp`. Absent: the workload's first port. */
  readonly port?: number;
  /** Milliseconds between two checks. Absent: 1000. */
  readonly interval?: number;
  /** Milliseconds that one check may take. Absent: 2000. */
  readonly timeout?: number;
  /** Failures in a row after which an instance is no longer ready. Absent: 3. */
  readonly retries?: number;
}

export interface ManifestVolume {
  readonly path: string;
  /** Bytes. */
  readonly size: string;
}

export interface ManifestCompute {
  /** Thousandths of a virtual CPU. */
  readonly cpu?: number;
  /** Bytes. */
  readonly memory?: string;
  /** Bytes. */
  readonly disk?: string;
  readonly gpu?: { readonly count: number; readonly vendor?: string; readonly model?: string };
}

export interface ManifestEgress {
  readonly to: "internet" | "exchange";
  /** CIDR blocks. Absent: every public address. */
  readonly addresses?: readonly string[];
  readonly ports?: readonly number[];
}

export interface ManifestConnection {
  /** Name of the target workload. */
  readonly to: string;
  /** TCP port of the target. */
  readonly port: number;
  readonly from: ManifestSource;
}

/** Exactly one of the three. */
export interface ManifestSource {
  readonly workload?: string;
  readonly infrastructure?: string;
  readonly global?: true;
  /** With `global`: host names of the tenant's own. */
  readonly hosts?: readonly string[];
}

/**
 * Who declared an entry. It travels with the manifest, outside the hash (design: "Ownership").
 * `owner` is HMAC(K, URN) in hexadecimal, `nonce` begins with 16 fresh bytes in
 * hexadecimal.
 */
export interface Stamp {
  readonly owner: string;
  readonly nonce: string;
}

/** By entry: `workloads/<name>` or `connections/<name>`. */
export type Stamps = Readonly<Record<string, Stamp>>;

/** A manifest on its way, with what travels outside the hash. */
export interface ManifestEnvelope {
  /** The canonical JSON (RFC 8785) text whose SHA-256 is the version. */
  readonly manifest: string;
  readonly stamps: Stamps;
}
