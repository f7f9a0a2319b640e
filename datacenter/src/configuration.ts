import { isIP, isIPv4 } from "node:net";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { parseCpu, parseDuration, parseRate, parseSize, parseTokens } from "@dcx/protocol";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { usualIngressLimits, usualTunnelLimits } from "./overlay/limits";

const text = z.string().min(1);
const amount = z.union([z.string(), z.number()]);

/** A quantity as a person writes it; `parse` throws a sentence that says what may be written. */
function quantity<T>(parse: (written: string | number) => T) {
  return amount.transform((written, context): T => {
    try {
      return parse(written);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
}

/** A price as written; it becomes a rate once the chain's block interval is known. Any interval shows if it can. */
const price = amount.superRefine((written, context) => {
  try {
    parseRate(written, 1000n);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
  }
});

const HostAndPort = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'write host and port, such as "127.0.0.1:0"')
  .transform((written) => {
    const at = written.lastIndexOf(":");
    return { host: written.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(written.slice(at + 1)) };
  })
  .refine(({ port }) => port <= 65535, "a port is at most 65535");

const priceList = {
  /** For each virtual CPU. */
  cpu: price.default("0"),
  /** For each GiB. */
  memory: price.default("0"),
  /** For each GiB. */
  disk: price.default("0"),
  /** For each piece. */
  gpu: price.default("0"),
  /** Least that one compute unit costs. */
  floor: price.default("0"),
};
const factor = z.number().min(0).max(1_000_000);

const Pricing = z
  .discriminatedUnion("strategy", [
    z.strictObject({ strategy: z.literal("fixed"), ...priceList }),
    z.strictObject({
      strategy: z.literal("utilization"),
      ...priceList,
      /** What the list is multiplied by when nothing is sold, and when everything is. */
      empty: factor.default(1),
      full: factor,
    }),
    z.strictObject({
      strategy: z.literal("script"),
      /** The program and its arguments. */
      command: z.array(text).min(1),
      /** For one order. */
      timeout: quantity(parseDuration).prefault("5s"),
      floor: price.default("0"),
    }),
  ])
  .default({ strategy: "fixed", cpu: "0.10/h", memory: "0.02/h", disk: "0.0002/h", gpu: "1/h", floor: "0.001/h" });

const hostName = z
  .string()
  .max(180, "leaves no room for the names under it")
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/, {
    message: "write a host name in lower case, such as apps.example.net",
  });

const Resolver = z.string().refine((written) => {
  const [, bracketed, port] = /^(?:\[(.+)\]|[^[\]]+?)(?::(\d{1,5}))?$/.exec(written) ?? [];
  return isIP(bracketed ?? written) !== 0 || (port !== undefined && isIPv4(written.slice(0, -port.length - 1)));
}, "write an address, such as 9.9.9.9, [2620:fe::fe]:53 or 127.0.0.1:5353");

/** How global connections are reached. */
const Ingress = z.strictObject({
  /** Every name under it leads to this datacenter: `*.<domain>` in the DNS. Absent: there are ports only. */
  domain: hostName.optional(),
  /** PEM files, read again when they change. Names that none is for get one under the datacenter's root. */
  certificates: z.array(z.strictObject({ certificateFile: text, keyFile: text })).default([]),
  /** Folder of more of them, `<any>.crt` with `<any>.key`; they may come and go. */
  certificateFolder: text.optional(),
  /** Folder from which plain HTTP answers who validates a name for a certificate. */
  challengeFolder: text.optional(),
  /** Name servers that are asked who owns a host name. Absent: the machine's own. */
  resolvers: z.array(Resolver).default([]),
  /** After which they are asked again. */
  recheck: quantity(parseDuration).prefault("1h"),
  /** For which a host name is served on while they don't answer. */
  proofExpiry: quantity(parseDuration).prefault("24h"),
  /** False: global connections have host names alone, no port of their own. */
  rawPorts: z.boolean().default(true),
  /** At a time: at host names together, and at the port of each connection. */
  connections: z.number().int().positive().max(1_000_000).default(usualIngressLimits.connections),
  /** Of those, from one address. */
  connectionsPerAddress: z.number().int().positive().default(usualIngressLimits.connectionsPerAddress),
  /** For the TLS handshake. */
  handshakeTimeout: quantity(parseDuration).prefault(`${usualIngressLimits.handshake / 1_000}s`),
});

/** Settings of one datacenter's agent. docs/datacenter.md describes each. */
export const DatacenterConfiguration = z
  .strictObject({
    chain: z.strictObject({
      endpoints: z.array(z.url()).min(1),
      /** Absent: the chain that the first endpoint answers for, remembered from then on. */
      chainId: text.optional(),
      /**
       * `endpoints`: they are the operator's own nodes, and believed. Else nothing that decides who is served is believed
       * without a proof under headers that validators signed: from the block named here on, or from the first one seen.
       */
      trust: z
        .union([
          z.enum(["endpoints", "first-use"]),
          z.strictObject({
            height: z.coerce.bigint().positive(),
            hash: z.string().regex(/^[0-9a-fA-F]{64}$/, "a block's hash has 64 hexadecimal digits"),
          }),
        ])
        .default("endpoints"),
      /** How long validators are believed who could have left since. Shorter than their stake stays bound. */
      trustingPeriod: quantity(parseDuration).prefault("168h"),
    }),
    /** JSON file of mode 600 with `privateKey` (64 hexadecimal digits) or `mnemonic`. */
    keyFile: text,
    home: text,
    /** What people see in place of its address: the attribute `name` of its record. */
    name: text.optional(),
    region: text,
    attributes: z.record(text, z.string()).default({}),
    capacity: z.strictObject({
      cpu: quantity(parseCpu),
      memory: quantity(parseSize),
      disk: quantity(parseSize),
      gpu: z
        .strictObject({
          count: z.number().int().positive(),
          vendor: z.string().default(""),
          model: z.string().default(""),
        })
        .optional(),
    }),
    pricing: Pricing,
    listen: z
      .strictObject({
        agent: HostAndPort.default({ host: "127.0.0.1", port: 0 }),
        tunnel: HostAndPort.default({ host: "127.0.0.1", port: 0 }),
        ingress: z
          .strictObject({
            /** Where each global connection has a port of its own. */
            host: text.default("127.0.0.1"),
            /** TLS at host names. Absent: port 443 of `host`. */
            tls: HostAndPort.optional(),
            /** Plain HTTP at host names, which leads to TLS. Absent: none. */
            http: HostAndPort.optional(),
          })
          .default({ host: "127.0.0.1" }),
        /** Prometheus' metrics, without encryption. Absent: on the control socket only. */
        metrics: HostAndPort.optional(),
      })
      .default({
        agent: { host: "127.0.0.1", port: 0 },
        tunnel: { host: "127.0.0.1", port: 0 },
        ingress: { host: "127.0.0.1" },
      }),
    /** What others reach it by, where that is not what it listens on. */
    advertise: z
      .strictObject({
        agentUrls: z.array(z.url()).optional(),
        tunnelAddresses: z.array(text).optional(),
        ingressHost: text.optional(),
        /** At which TLS at host names is reached. */
        ingressPort: z.number().int().min(1).max(65_535).optional(),
      })
      .default({}),
    ingress: Ingress.optional(),
    /** Who may call the tunnel port, and how many of them at a time. */
    tunnels: z
      .strictObject({
        /** That have not finished their TLS handshake. */
        handshakes: z.number().int().positive().max(100_000).default(usualTunnelLimits.handshakes),
        /** Of those, from one address. */
        handshakesPerAddress: z.number().int().positive().default(usualTunnelLimits.handshakesPerAddress),
        /** For the TLS handshake. */
        handshakeTimeout: quantity(parseDuration).prefault(`${usualTunnelLimits.handshakeTimeout / 1_000}s`),
        /** Tunnels of one source workload of one connection. */
        perSource: z.number().int().positive().default(usualTunnelLimits.perSource),
      })
      .prefault({}),
    /** What no workload reaches, whatever its egress declares, besides all that is not public. */
    egress: z
      .strictObject({
        /** CIDR blocks. */
        deny: z.array(z.union([z.cidrv4(), z.cidrv6()])).default([]),
        /** TCP ports. Mail (25) has to be let out on purpose: it is what abused machines send. */
        denyPorts: z.array(z.number().int().min(1).max(65_535)).default([25]),
      })
      .default({ deny: [], denyPorts: [25] }),
    isolation: z.enum(["auto", "container", "sandbox", "none"]).default("auto"),
    /** Docker or Podman socket. Absent: the usual places. */
    containerSocket: text.optional(),
    /** Folders that hold OCI image layouts, looked at before any registry. */
    imageLayouts: z.array(text).default([]),
    /** How long a sandbox's image stays after it was needed last. A container engine looks after its own. */
    keepImages: quantity(parseDuration).prefault("168h"),
    /** Most tokens bound in collateral at a time. Absent: what the account holds. */
    collateralBudget: quantity(parseTokens).optional(),
    /** Addresses that are served also where isolation or a limit can't be enforced. */
    trustedTenants: z.array(text).default([]),
    /** True: takes no new leases. */
    draining: z.boolean().default(false),
    logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).default("info"),
  })
  .superRefine(({ advertise, ingress, listen }, context) => {
    const needed = "has no effect without ingress.domain, which says what the names are under";
    const refuse = (path: string[]) => context.addIssue({ code: "custom", message: needed, path });
    if (ingress?.domain !== undefined) return;
    if (ingress?.rawPorts === false) refuse(["ingress", "rawPorts"]);
    if ((ingress?.certificates ?? []).length > 0) refuse(["ingress", "certificates"]);
    if (ingress?.certificateFolder !== undefined) refuse(["ingress", "certificateFolder"]);
    if (ingress?.challengeFolder !== undefined) refuse(["ingress", "challengeFolder"]);
    if (listen.ingress.tls !== undefined) refuse(["listen", "ingress", "tls"]);
    if (listen.ingress.http !== undefined) refuse(["listen", "ingress", "http"]);
    if (advertise.ingressPort !== undefined) refuse(["advertise", "ingressPort"]);
  });
export type DatacenterConfiguration = z.infer<typeof DatacenterConfiguration>;
/** What a file or a caller writes: quantities as text, defaults left out. */
export type DatacenterConfigurationInput = z.input<typeof DatacenterConfiguration>;

/** JSON schema of what a file may hold. What can't be said in one (quantities, prices) is text or a number there. */
export function datacenterConfigurationSchema(): Record<string, unknown> {
  return z.toJSONSchema(DatacenterConfiguration, { io: "input", unrepresentable: "any" });
}

/** A configuration that can't be used. The message names every setting that is wrong, by its path. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** Checks settings that a program hands over. @throws {ConfigurationError} */
export function parseConfiguration(value: unknown, source = "the datacenter's configuration"): DatacenterConfiguration {
  const parsed = DatacenterConfiguration.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join(".") || "(all of it)"}: ${message}`);
  throw new ConfigurationError(`${source} can't be used:\n${problems.join("\n")}`);
}

/**
 * Reads settings from the text of a YAML or JSON file. Relative paths in it count from the working folder, `~` is the
 * user's home.
 * @param source names the text in errors
 * @throws {ConfigurationError}
 */
export function readDatacenterConfiguration(text: string, source?: string): DatacenterConfiguration {
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError(`${source ?? "the datacenter's configuration"} is neither YAML nor JSON: ${problem}`, {
      cause,
    });
  }
  const configuration = parseConfiguration(value, source);
  const place = (path: string): string => resolve(path.replace(/^~(?=\/|$)/, homedir()));
  return {
    ...configuration,
    keyFile: place(configuration.keyFile),
    home: place(configuration.home),
    imageLayouts: configuration.imageLayouts.map(place),
    ...(configuration.ingress === undefined ? {} : { ingress: placed(configuration.ingress, place) }),
  };
}

function placed(ingress: z.infer<typeof Ingress>, place: (path: string) => string): z.infer<typeof Ingress> {
  const { certificates, certificateFolder, challengeFolder } = ingress;
  return {
    ...ingress,
    certificates: certificates.map(({ certificateFile, keyFile }) => ({
      certificateFile: place(certificateFile),
      keyFile: place(keyFile),
    })),
    ...(certificateFolder === undefined ? {} : { certificateFolder: place(certificateFolder) }),
    ...(challengeFolder === undefined ? {} : { challengeFolder: place(challengeFolder) }),
  };
}
