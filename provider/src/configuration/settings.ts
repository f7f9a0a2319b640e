/** One setting of the provider: schema.json, the environment, docs/configuration.md and CheckConfig follow from this. */
export interface SettingSource {
  readonly type: "text" | "texts" | "flag" | "number";
  /** Encrypted in state and never printed, however it was written. */
  readonly secret?: true;
  /** Sentences for schema and manual. */
  readonly description: string;
  /** What holds without it, for people. */
  readonly default?: string;
  /** A value as somebody would write it. */
  readonly example: string;
  readonly section: "Where" | "As whom" | "For how much" | "How patiently";
}

const sources = {
  network: {
    type: "text",
    description:
      "Where to deploy: `embedded` (an exchange on this machine), `exchange` (at `endpoints`), or the URL of an exchange.",
    default:
      "`exchange` with `endpoints`, else `embedded`; where `CI` is set or a signer is configured it has to be said",
    example: "embedded",
    section: "Where",
  },
  endpoints: {
    type: "texts",
    description:
      "URLs of nodes of the exchange, tried in this order. One that does not answer, lags behind the others or is of " +
      "another chain is left for the next.",
    example: "https://rpc.example.org",
    section: "Where",
  },
  chainId: {
    type: "text",
    description: "Chain that must answer there. Without: the one that the endpoints agree on.",
    example: "dcx-main-1",
    section: "Where",
  },
  agentProxy: {
    type: "text",
    description:
      "HTTP proxy (CONNECT) through which the datacenters' agents are reached, where they can't be reached directly. It " +
      "sees no more than which agents those are.",
    default: "none",
    example: "http://proxy.example.org:3128",
    section: "Where",
  },
  minimumIsolation: {
    type: "text",
    description:
      "The weakest way in which a datacenter may keep workloads apart: `container`, `sandbox` (or containers) or `none`. " +
      "Infrastructures require it of their datacenter by the attributes `isolation` or `isolated`; one that asks for " +
      "less is refused.",
    default: "what each infrastructure asks for",
    example: "container",
    section: "Where",
  },
  mnemonic: {
    type: "text",
    secret: true,
    description: "The account that deploys, as 12 to 24 words.",
    example: "abandon ability …",
    section: "As whom",
  },
  privateKey: {
    type: "text",
    secret: true,
    description: "The account that deploys, as 64 hexadecimal digits.",
    example: "6f1d…",
    section: "As whom",
  },
  keyFile: {
    type: "text",
    description: "The account that deploys, as the path of a key file, encrypted or not: see `dcx keys`.",
    example: "/run/secrets/dcx.age",
    section: "As whom",
  },
  keyFilePassword: {
    type: "text",
    secret: true,
    description:
      "Password of an encrypted key file, or the age identity (`AGE-SECRET-KEY-1…`) that it is encrypted to.",
    example: "correct horse battery staple",
    section: "As whom",
  },
  keyFilePasswordCommand: {
    type: "texts",
    description: "A command, with its arguments, that prints that password as its first line.",
    example: '["pass", "show", "dcx/deployer"]',
    section: "As whom",
  },
  signerCommand: {
    type: "texts",
    description:
      "A command, with its arguments, that signs for the account that deploys: see docs/external-signer.md. It is run " +
      "without a shell. Needs `namespaceKey`.",
    example: '["dcx", "keys", "sign", "--file", "/keys/deployer.age"]',
    section: "As whom",
  },
  signerUrl: {
    type: "text",
    description:
      "An HTTPS URL that signs for the account that deploys: see docs/external-signer.md. Needs `namespaceKey`.",
    example: "https://signer.example.org/dcx",
    section: "As whom",
  },
  signerToken: {
    type: "text",
    secret: true,
    description: "Bearer token for `signerUrl`.",
    example: "eyJhbGciOi…",
    section: "As whom",
  },
  signerCertificate: {
    type: "text",
    description: "Certificate that this client shows at `signerUrl`: PEM, or the path of a file with it.",
    example: "/etc/dcx/client.pem",
    section: "As whom",
  },
  signerCertificateKey: {
    type: "text",
    secret: true,
    description: "Its key: PEM, or the path of a file with it.",
    example: "/run/secrets/client-key.pem",
    section: "As whom",
  },
  signerAuthority: {
    type: "text",
    description: "Certificate of the authority that vouches for `signerUrl`: PEM, or the path of a file with it.",
    default: "the authorities that Node.js knows",
    example: "/etc/dcx/authority.pem",
    section: "As whom",
  },
  signerTimeout: {
    type: "text",
    description: "How long one signature may take: longer where a person has to confirm it.",
    default: "`30s`",
    example: "2m",
    section: "As whom",
  },
  namespace: {
    type: "text",
    description: "Keeps two stacks with the same project, name and resources apart.",
    default: "empty",
    example: "team-a",
    section: "As whom",
  },
  namespaceKey: {
    type: "text",
    secret: true,
    description:
      "What deployments are found again by and manifests are salted with: at least 32 characters, the same for the life " +
      "of the deployments. Needed with `signerCommand` and `signerUrl`, and by a tenant and managers that change one " +
      "deployment.",
    default: "derived from the account's key",
    example: "the output of `openssl rand -hex 32`",
    section: "As whom",
  },
  feeGranter: {
    type: "text",
    description: "Account that pays the fees of transactions; it has granted that to the one that deploys.",
    default: "the account that deploys",
    example: "dcx1…",
    section: "For how much",
  },
  gasPrice: {
    type: "text",
    description: "Micro-units for a unit of gas, with or without the denomination.",
    default: "the least that the exchange takes",
    example: "0.0002udcx",
    section: "For how much",
  },
  gasAdjustment: {
    type: "number",
    description: "The gas limit of a transaction is what it takes as things are, times this.",
    default: "`1.4`",
    example: "1.8",
    section: "For how much",
  },
  gasLimit: {
    type: "number",
    description: "Gas limit of every transaction, in place of what it takes as things are.",
    example: "400000",
    section: "For how much",
  },
  maxFee: {
    type: "text",
    description: "Tokens that one transaction may cost in fees at most: one that would cost more is not signed.",
    default: "no limit",
    example: "0.05",
    section: "For how much",
  },
  maxCostPerMonth: {
    type: "text",
    description:
      "Tokens that all deployments of the program together may cost a month at most, by their maximum prices. A program " +
      "that could cost more is refused before anything of it is changed.",
    default: "no limit",
    example: "250",
    section: "For how much",
  },
  timeout: {
    type: "text",
    description: "How long a create, update or delete may take where the resource does not say.",
    default: "`10m`",
    example: "20m",
    section: "How patiently",
  },
  createTimeout: {
    type: "text",
    description: "The same for creates alone.",
    default: "`timeout`",
    example: "30m",
    section: "How patiently",
  },
  updateTimeout: {
    type: "text",
    description: "The same for updates alone.",
    default: "`timeout`",
    example: "20m",
    section: "How patiently",
  },
  deleteTimeout: {
    type: "text",
    description: "The same for deletes alone.",
    default: "`timeout`",
    example: "5m",
    section: "How patiently",
  },
  patience: {
    type: "text",
    description:
      "How long an exchange that does not answer is asked again, at one endpoint after the other with growing pauses, " +
      "before what needed it fails.",
    default: "`10s`",
    example: "1m",
    section: "How patiently",
  },
  skipAwait: {
    type: "flag",
    description: "Whether resources are done once their transaction is in a block.",
    default: "`false`",
    example: "true",
    section: "How patiently",
  },
} as const satisfies Readonly<Record<string, SettingSource>>;

export type Setting = keyof typeof sources;

export const settingSources: Readonly<Record<Setting, SettingSource>> = sources;

export function isSetting(name: string): name is Setting {
  return Object.hasOwn(sources, name);
}

export const settings: readonly Setting[] = Object.keys(sources).filter(isSetting);

/** Encrypted in state and never printed, however they were written. */
export const secretSettings: ReadonlySet<string> = new Set(settings.filter((name) => settingSources[name].secret));

/** Where a setting is looked for when the program and the stack don't have it: `keyFile` in `DCX_KEY_FILE`. */
export function variableOf(setting: Setting): string {
  return `DCX_${setting.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
}
