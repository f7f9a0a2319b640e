import type { ConnectionStatus } from "@dcx/protocol";
import type { InstanceNetwork } from "../runtime/runtime";
import type { EgressLimits, InternetRule } from "./egress/decide";
import type { EgressEffects } from "./egress/dial";
import type { IngressCounts, IngressWay } from "./ingress/ingress-traffic";

/** A workload's end of a tunnel. A certificate names it by `workloadUri`. */
export interface WorkloadIdentity {
  /** Account address of the datacenter. */
  readonly datacenter: string;
  /** Text id of the lease. */
  readonly lease: string;
  readonly workload: string;
}

/** The other end of a tunnel: who it has to be, and under which roots its certificate has to be. */
export interface PeerIdentity extends WorkloadIdentity {
  /** PEM of the datacenter's root certificates as the chain has them, now valid ones only. */
  readonly roots: readonly string[];
}

export interface TargetPeer extends PeerIdentity {
  /** host:port of its agent's overlay, in order of preference. */
  readonly addresses: readonly string[];
}

/** This datacenter runs the workload that opens connections. */
export interface WantedSource {
  /** `<tenant>/<sequence>/connections/<name>`; with the chain's id it names the tunnel (SNI). */
  readonly connection: string;
  /** The local workload. Its lease is part of its certificate. */
  readonly source: { readonly lease: string; readonly workload: string };
  /** Ids of its local instances: in each one the overlay listens on `address`:`port`. */
  readonly instances: readonly string[];
  /** Those of them that were started with this connection, and so know the target's name. Absent: all. */
  readonly current?: readonly string[];
  /** Whether some run and stay that may have been started without it. Absent: no. */
  readonly older?: boolean;
  /** Loopback address inside the instance that the target's name resolves to (see `connectionAddress`). */
  readonly address: string;
  /** The port that the workload sees: the connection's. */
  readonly port: number;
  /** Where the target workload runs: one, or two while a lease is being replaced. Empty: not known yet. */
  readonly targets: readonly TargetPeer[];
  /** Digest of the target's entry that has to run for the connection to be established. Absent: any. */
  readonly entry?: string;
  /** Its lease has ended: what was begun is carried to its end, and it counts in no status. */
  readonly leaving?: boolean;
}

/** This datacenter runs the workload that connections lead to. */
export interface WantedTarget {
  readonly connection: string;
  readonly target: { readonly lease: string; readonly workload: string };
  /** Ids of the local instances that are ready. */
  readonly instances: readonly string[];
  /** The port that the workload listens on. */
  readonly port: number;
  /** Everybody who may connect: one workload, or with `from: infrastructure` each of that infrastructure's. */
  readonly sources: readonly PeerIdentity[];
  /** Digest of the workload's entry as it runs. Absent while it rolls, or where nothing runs. */
  readonly entry?: string;
  /** Its lease has ended: what was begun is carried to its end, and it counts in no status. */
  readonly leaving?: boolean;
}

/** A global connection to a local workload. */
export interface WantedIngress {
  readonly connection: string;
  /** Ids of the local instances that are ready. */
  readonly instances: readonly string[];
  readonly port: number;
  /** Host names of the tenant's own. Absent: none. */
  readonly hosts?: readonly string[];
}

/** A way out for a local workload, beyond its connections: a proxy in each of its instances. */
export interface WantedEgress {
  readonly source: { readonly lease: string; readonly workload: string };
  /** Ids of its local instances. */
  readonly instances: readonly string[];
  /** Loopback address inside the instance. */
  readonly address: string;
  readonly port: number;
  /** What of the internet it leads to. Absent: to the exchange, and to `agents`. */
  readonly rules?: readonly InternetRule[];
  /** Those that hold a lease of the workload's deployment: who changes what runs hands them the manifest. */
  readonly agents?: readonly HolderAgent[];
}

/** The agent of a datacenter, as the chain has it. */
export interface HolderAgent {
  /** Account address. */
  readonly datacenter: string;
  readonly urls: readonly string[];
  /** DER of the roots that count now. */
  readonly roots: readonly Uint8Array[];
}

/** All that this datacenter's overlay is to carry. What is not named is not carried. */
export interface WantedConnections {
  readonly sources: readonly WantedSource[];
  readonly targets: readonly WantedTarget[];
  readonly ingresses: readonly WantedIngress[];
  readonly egresses: readonly WantedEgress[];
}

/** A leaf certificate for one workload, under the datacenter's root. */
export interface Leaf {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Makes a P-256 leaf with this single URI SAN and validity, for server and client, under the datacenter's root. */
export type LeafIssuer = (request: {
  readonly uri: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}) => Promise<Leaf>;

/** Makes a TLS server's leaf for these host names, under the datacenter's root. The certificate's PEM may hold the root too. */
export type HostLeafIssuer = (request: {
  readonly hosts: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}) => Promise<Leaf>;

/** Files in PEM. What is in them is read again when they change. */
export interface CertificateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** Host names of global connections, and what answers at them: TLS, ended here. */
export interface IngressNames {
  /** What generated names are under. */
  readonly domain: string;
  /** Port 0: a free one, kept in `home` for the next start. */
  readonly tls: { readonly host: string; readonly port: number };
  /** Port at which others reach `tls`. Absent: its own. */
  readonly port?: number;
  /** Plain HTTP, which leads to TLS. Absent: none. */
  readonly http?: { readonly host: string; readonly port: number };
  /** Folder of answers that plain HTTP gives to whoever validates a host name for a certificate (RFC 8555, 8.3). */
  readonly challenges?: string;
  /** Where none of these is for a name, nor one in the folder, `issue` makes one. */
  readonly certificates: readonly CertificateFiles[];
  /** Folder of more of them, `<any>.crt` with `<any>.key`, which come and go. */
  readonly certificateFolder?: string;
  readonly issue: HostLeafIssuer;
  /** How own host names are proven. Times in milliseconds. */
  readonly own: {
    /** Addresses of name servers. Empty: the machine's own. */
    readonly resolvers: readonly string[];
    /** After which a proof is asked for again. */
    readonly recheck: number;
    /** For which it counts while the DNS does not answer. */
    readonly expiry: number;
  };
}

/** How many strangers are connected at a time, and how long they may take. */
export interface IngressLimits {
  /** At host names together, and at the port of each connection. */
  readonly connections: number;
  /** Of those, from one address. */
  readonly connectionsPerAddress: number;
  /** Milliseconds until a connection to a host name has to have finished its TLS handshake. */
  readonly handshake: number;
}

/** How many callers of the tunnel port there may be, and how long they may take. */
export interface TunnelLimits {
  /** At a time that have not finished their TLS handshake. */
  readonly handshakes: number;
  /** Of those, from one address. */
  readonly handshakesPerAddress: number;
  /** Milliseconds until it has to be finished. */
  readonly handshakeTimeout: number;
  /** Tunnels at a time of one source of one connection. */
  readonly perSource: number;
}

/** What arrives at the tunnel port. */
export interface TunnelCounts {
  /** Tunnels that stand. */
  readonly open: number;
  /** Those that were let in since the agent began. */
  readonly tunnels: number;
  readonly refused: number;
  /** Callers that have not finished a handshake. */
  readonly arriving: number;
}

export interface OverlayLogger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface OverlayOptions {
  /** Where other agents' tunnels arrive. Port 0: a free one, kept in `home` for the next start. */
  readonly listen: { readonly host: string; readonly port: number };
  /** At the port of tunnels. Absent: the usual ones. */
  readonly tunnels?: TunnelLimits;
  /** Host that others reach it by. Absent: `listen.host`. */
  readonly advertise?: string;
  /** Where global connections are reached; `host` is in the address of their ports. Without `names` they have ports only. */
  readonly ingress: {
    readonly listen: string;
    readonly host?: string;
    readonly names?: IngressNames;
    /** Whether there are ports too where there are names. Absent: yes. */
    readonly rawPorts?: boolean;
    /** Absent: the usual ones. */
    readonly limits?: IngressLimits;
  };
  /** `exchange`: URLs of the nodes that egress to the exchange leads to. `effects` are for tests. */
  readonly egress: {
    readonly exchange: readonly string[];
    readonly limits: EgressLimits;
    readonly effects?: EgressEffects;
  };
  /** Folder of its own: remembers ports. */
  readonly home: string;
  readonly chainId: string;
  /** Account address of this datacenter. */
  readonly datacenter: string;
  readonly issue: LeafIssuer;
  /** Seconds that a leaf is valid; it is renewed at half of that. Absent: 24 hours. */
  readonly leafLifetime?: number;
  /** `Runtime.network`. */
  readonly network: (instance: string) => Promise<InstanceNetwork>;
  readonly logger: OverlayLogger;
}

/** Key of `Overlay.status()`. A connection can have both ends in one datacenter. */
export type ConnectionKey = `${ConnectionStatus["role"]} ${string}`;

export interface Overlay {
  /** host:port for `ConnectionParameters.addresses`. */
  readonly address: string;
  /**
   * Makes it so; idempotent. What is no longer wanted is cut at once, established flows included; only where a
   * source has another target in place of one that went, flows to that one go on to their end.
   */
  apply(wanted: WantedConnections): void;
  /**
   * By `source <connection>`, `target <connection>` and `ingress <connection>`. With several local source workloads
   * of one connection (`from: infrastructure`) a source is established when all are.
   */
  status(): ReadonlyMap<ConnectionKey, ConnectionStatus>;
  /** PEM of the certificate that this workload's end shows now, for `ConnectionParameters`. */
  certificate(lease: string, workload: string): Promise<string>;
  /**
   * Makes every certificate anew, and a new tunnel with it beside each one that stands: flows of the old ones go on in
   * these to their end. What can't be made anew yet is tried again.
   */
  renew(): Promise<void>;
  /** PEM of the certificates of this datacenter's ends that the tunnels standing now were made with, one for each. */
  presented(): readonly string[];
  /** What went through global connections, by the way they are reached. */
  traffic(way: IngressWay): IngressCounts;
  /** What arrives at the port of tunnels. */
  tunnels(): TunnelCounts;
  /** Called whenever something changed that `status` shows. Returns how to stop being called. */
  subscribe(listener: () => void): () => void;
  close(): Promise<void>;
}
