import { z } from "zod";

/**
 * The HTTPS interface of a datacenter's agent. JSON over HTTP/1.1, TLS 1.3 with session tickets off.
 *
 * Who may ask (design: "Handing it over"):
 * - a tenant or manager: a fresh P-256 client certificate, and the header `dcx-statement` (see `statement.ts`);
 * - a peer datacenter that holds an active lease of the deployment: a client certificate under its on-chain root;
 * - anybody: `identity` and `quotes`; whoever wants a quote as a certain account proves to be that account.
 *
 * | request | who | answer |
 * | --- | --- | --- |
 * | GET  /v1/identity | anybody | Identity |
 * | POST /v1/quotes (QuoteRequest) | anybody | Quote |
 * | GET  /v1/deployments/:tenant/:sequence/manifests | tenant, peer | ManifestList |
 * | PUT  /v1/deployments/:tenant/:sequence/manifests/:version (ManifestUpload) | tenant | 204: staged, or active where the chain already names it |
 * | GET  /v1/deployments/:tenant/:sequence/manifests/:version | tenant, peer | ManifestDownload |
 * | GET  /v1/deployments/:tenant/:sequence/manifests/:version/text, Range | peer | 206: the text's UTF-8 from a byte on, at most MAX_MANIFEST_PART_BYTES; 503 `busy` while others fetch it |
 * | GET  /v1/deployments/:tenant/:sequence/manifests/:version/stamps | peer | ManifestStamps |
 * | GET  /v1/deployments/:tenant/:sequence/status?after=&wait= | tenant | DeploymentStatus; waits up to `wait` ms for one newer than `after` |
 * | GET  /v1/deployments/:tenant/:sequence/workloads/:name/logs?follow=&tail=&instance= | tenant | LogLine a line (application/x-ndjson) |
 * | GET  /v1/deployments/:tenant/:sequence/events?follow= | tenant | WorkloadEvent a line (application/x-ndjson) |
 * | GET  /v1/deployments/:tenant/:sequence/workloads/:name/exec, Upgrade: dcx-exec | tenant | 101, then frames (see `exec.ts`) |
 * | GET  /v1/deployments/:tenant/:sequence/parameters | peer | ConnectionParameters |
 *
 * A refusal is a JSON ApiError with a 4xx or 5xx status.
 */
export const ApiError = z.object({ code: z.string(), message: z.string() });
export type ApiError = z.infer<typeof ApiError>;

export const Isolation = z.enum(["container", "sandbox", "none"]);
export type Isolation = z.infer<typeof Isolation>;

export const Identity = z.object({
  chainId: z.string(),
  datacenter: z.string(),
  region: z.string(),
  isolation: Isolation,
  /** Limits that its runtime can't enforce: "cpu", "memory", "disk", "processes". */
  unenforced: z.array(z.string()),
  version: z.string(),
  /** Height of the newest block that the agent has seen, in decimal. */
  height: z.string(),
});
export type Identity = z.infer<typeof Identity>;

const digits = z.string().regex(/^(0|[1-9][0-9]{0,38})$/);
const unsigned64 = z
  .string()
  .refine((text) => /^(0|[1-9][0-9]{0,19})$/.test(text) && BigInt(text) < 2n ** 64n, "must be an integer of 64 bits");
const datacenters = z.array(z.string().min(1).max(128)).max(256);

/** Terms of an infrastructure that is no order yet. Sizes in bytes, cpu in thousandths, all numbers in decimal. */
export const QuoteTerms = z.strictObject({
  /** "": any. */
  region: z.string().max(128),
  attributes: z
    .record(z.string().min(1).max(128), z.string().max(512))
    .refine((attributes) => Object.keys(attributes).length <= 64, "names more than 64 attributes"),
  allowedDatacenters: datacenters,
  deniedDatacenters: datacenters,
  resources: z
    .array(
      z.strictObject({
        cpu: unsigned64,
        memory: unsigned64,
        disk: unsigned64,
        gpu: z
          .strictObject({
            count: z.number().int().min(1).max(1024),
            vendor: z.string().max(128),
            model: z.string().max(128),
          })
          .optional(),
        count: z.number().int().min(1).max(1_000_000),
        /** The most that is paid for one unit: micro-units per block scaled by 10^18. */
        price: digits,
        /** Micro-units, of the whole group. */
        collateral: unsigned64,
      }),
    )
    .min(1)
    .max(64),
});
export type QuoteTerms = z.infer<typeof QuoteTerms>;

/** Bytes of a request for a quote beyond which it is not read. */
export const MAX_QUOTE_BYTES = 128 * 1024;

/**
 * Either an open order, by its text id `<tenant>/<sequence>/<infrastructure>/<generation>`, or terms that are no order
 * yet. With `tenant` it is answered as for that account, which has to be the caller (a statement of purpose "quote");
 * without, as for a stranger.
 */
export const QuoteRequest = z
  .strictObject({ order: z.string().max(512), terms: QuoteTerms, tenant: z.string().max(128) })
  .partial()
  .refine(({ order, terms }) => (order === undefined) !== (terms === undefined), "must name either an order or terms")
  .refine(({ order, tenant }) => order === undefined || tenant === undefined, "an order has a tenant already");
export type QuoteRequest = z.infer<typeof QuoteRequest>;

export const RefusalReason = z.enum([
  "region",
  "attributes",
  "not-allowed",
  "denied",
  "excluded",
  "price",
  "capacity",
  "collateral",
  "isolation",
  "draining",
]);
export type RefusalReason = z.infer<typeof RefusalReason>;

/** `rate` is what it asks for the whole order: micro-units per block scaled by 10^18, in decimal. */
export const Quote = z.discriminatedUnion("willBid", [
  z.object({ willBid: z.literal(true), rate: z.string() }),
  z.object({
    willBid: z.literal(false),
    reason: RefusalReason,
    /** A sentence for a person. */
    message: z.string(),
    /** With "price": what it would ask. */
    rate: z.string().optional(),
  }),
]);
export type Quote = z.infer<typeof Quote>;

export const StampSchema = z.object({ owner: z.string(), nonce: z.string() });

export const ManifestStamps = z.record(z.string(), StampSchema);

export const ManifestUpload = z.object({
  /** Canonical JSON text. */
  manifest: z.string(),
  stamps: ManifestStamps,
});
export type ManifestUpload = z.infer<typeof ManifestUpload>;

export const ManifestDownload = ManifestUpload;
export type ManifestDownload = ManifestUpload;

export const ManifestList = z.object({
  /** The version that the agent runs, in hexadecimal. */
  active: z.string().optional(),
  /** Versions that it holds beside it. */
  staged: z.array(z.string()),
});
export type ManifestList = z.infer<typeof ManifestList>;

export const InstanceState = z.enum([
  "pending",
  "pulling",
  "starting",
  "running",
  "ready",
  "unhealthy",
  "exited",
  "failed",
]);
export type InstanceState = z.infer<typeof InstanceState>;

export const InstanceStatus = z.object({
  index: z.number().int(),
  state: InstanceState,
  /** The reason, for a person: the exit code and its last line, an image that can't be pulled. */
  message: z.string().optional(),
  restarts: z.number().int(),
  /** Identifies this run of the container: a restart or a replacement changes it. */
  containerId: z.string().optional(),
  startedAt: z.string().optional(),
});
export type InstanceStatus = z.infer<typeof InstanceStatus>;

export const WorkloadStatus = z.object({
  /** Digest of the image that runs, where known. */
  imageDigest: z.string().optional(),
  /** SHA-256 of this entry as it runs, in hexadecimal (`entryDigest`); differs from the manifest's while it rolls. */
  entryDigest: z.string().optional(),
  desired: z.number().int(),
  instances: z.array(InstanceStatus),
});
export type WorkloadStatus = z.infer<typeof WorkloadStatus>;

/** A host name of the tenant's own: whether it is served, and if not, why. */
export const HostStatus = z.object({ served: z.boolean(), message: z.string().optional() });
export type HostStatus = z.infer<typeof HostStatus>;

export const ConnectionStatus = z.object({
  /** "source": the tunnel stands and the target accepts; "target": it accepts tunnels; "ingress": global. */
  role: z.enum(["source", "target", "ingress"]),
  established: z.boolean(),
  /** SHA-256 of the entry that this is said of, in hexadecimal (`entryDigest`). */
  entryDigest: z.string().optional(),
  /** With "ingress": where the workload is reached from outside, e.g. http://127.0.0.1:18080. */
  address: z.string().optional(),
  /** With "ingress", where `address` has a host name: `host:port` of a port of its own, for what is not in TLS. */
  rawAddress: z.string().optional(),
  /** With "ingress": the own host names that the connection declares. */
  hosts: z.record(z.string(), HostStatus).optional(),
  message: z.string().optional(),
});
export type ConnectionStatus = z.infer<typeof ConnectionStatus>;

export const DeploymentStatus = z.object({
  /** Changes whenever anything below does; the `after` of the next request. */
  cursor: z.string(),
  /** Height of the chain state that the agent acts on, in decimal. */
  height: z.string(),
  /** The version that the agent runs. */
  version: z.string().optional(),
  /** False: the agent holds fewer entries than the chain counts; it starts what it knows and stops nothing. */
  complete: z.boolean(),
  workloads: z.record(z.string(), WorkloadStatus),
  connections: z.record(z.string(), ConnectionStatus),
});
export type DeploymentStatus = z.infer<typeof DeploymentStatus>;

export const LogLine = z.object({
  workload: z.string(),
  instance: z.number().int(),
  stream: z.enum(["stdout", "stderr"]),
  time: z.string(),
  line: z.string(),
});
export type LogLine = z.infer<typeof LogLine>;

/** Something that happened to an instance. */
export const WorkloadEvent = z.object({
  time: z.string(),
  workload: z.string(),
  instance: z.number().int(),
  /** What it is from then on; "gone": it was removed. */
  state: z.union([InstanceState, z.literal("gone")]),
  /** The reason, for a person. */
  message: z.string().optional(),
  restarts: z.number().int(),
});
export type WorkloadEvent = z.infer<typeof WorkloadEvent>;

/**
 * What a holder tells its peers about the workloads that it runs, so that they can tunnel to them
 * (specification: connection parameters: lease, workload, certificate, addresses).
 */
export const ConnectionParameters = z.object({
  /** Text id of the lease. */
  lease: z.string(),
  version: z.string(),
  workloads: z.record(
    z.string(),
    z.object({
      /** PEM of the certificate by which the workload's end of a tunnel is known, under the datacenter's root. */
      certificate: z.string(),
      /** host:port of the overlay. */
      addresses: z.array(z.string()),
    }),
  ),
});
export type ConnectionParameters = z.infer<typeof ConnectionParameters>;
