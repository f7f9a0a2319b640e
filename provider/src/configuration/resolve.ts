import { Secret, Unknown, type Value, type ValueMap } from "../wire/value";
import {
  ConfigurationError,
  type ConfigurationProblem,
  environmentOf,
  type NetworkChoice,
  type ProviderConfiguration,
  type Setting,
  type SignerChoice,
  settings,
} from "./configuration";

/** Seconds. */
const DEFAULT_TIMEOUT = 600;

/**
 * What the provider's inputs and the environment together mean: an input counts before the environment variable of
 * the same setting. Throws ConfigurationError with everything that is wrong. Reads no file and asks no network.
 */
export function resolveConfiguration(inputs: ValueMap, environment: NodeJS.ProcessEnv): ProviderConfiguration {
  const reader = new Reader(inputs, environment);
  const signer = resolveSigner(reader);
  const network = resolveNetwork(reader, signer);
  const configuration = {
    network,
    signer: network.kind === "embedded" ? undefined : signer,
    namespace: reader.text("namespace") ?? "",
    namespaceKey: reader.text("namespaceKey"),
    timeout: resolveTimeout(reader),
    skipAwait: resolveFlag(reader, "skipAwait"),
  };
  reader.refuseUnknownSettings();
  if (reader.problems.length > 0) {
    throw new ConfigurationError(reader.problems);
  }
  return configuration;
}

/** Whether some setting is known only once another resource is there: nothing can be resolved yet. */
export function isUndetermined(inputs: ValueMap): boolean {
  return settings.some((setting) => {
    const value = inputs[setting];
    return value instanceof Unknown || (value instanceof Secret && value.reveal() instanceof Unknown);
  });
}

/** Where a setting comes from. */
type Source = "input" | "environment";

class Reader {
  readonly problems: ConfigurationProblem[] = [];

  constructor(
    readonly inputs: ValueMap,
    readonly environment: NodeJS.ProcessEnv,
  ) {}

  refuse(setting: Setting, reason: string): void {
    this.problems.push({ setting, reason });
  }

  /** What the program or the stack says; texts that hold JSON, as stack configuration does, are taken apart. */
  input(setting: Setting): Value | undefined {
    const value = plain(this.inputs[setting]);
    if (value === null || value === undefined || value === "") {
      return undefined;
    }
    if (typeof value === "string" && /^\s*[[{]/.test(value)) {
      try {
        const parsed: Value = JSON.parse(value);
        return parsed;
      } catch {
        return value;
      }
    }
    return value;
  }

  variable(setting: Setting): string | undefined {
    const name = environmentOf[setting];
    return (name === undefined ? undefined : this.environment[name]) || undefined;
  }

  source(setting: Setting): Source | undefined {
    if (this.input(setting) !== undefined) {
      return "input";
    }
    return this.variable(setting) === undefined ? undefined : "environment";
  }

  text(setting: Setting): string | undefined {
    const value = this.input(setting) ?? this.variable(setting);
    if (value === undefined || typeof value === "string") {
      return value;
    }
    if (typeof value === "number" || typeof value === "boolean") {
      return String(value);
    }
    this.refuse(setting, "must be text");
    return undefined;
  }

  refuseUnknownSettings(): void {
    for (const name of Object.keys(this.inputs)) {
      const known: readonly string[] = settings;
      // The engine adds these.
      const engines = name === "version" || name === "pluginDownloadURL" || name.startsWith("__");
      if (!known.includes(name) && !engines) {
        this.problems.push({ setting: name, reason: `is no setting of dcx; there are ${settings.join(", ")}` });
      }
    }
  }
}

function resolveNetwork(reader: Reader, signer: SignerChoice | undefined): NetworkChoice {
  const said =
    reader.input("network") ?? (reader.input("endpoints") === undefined ? reader.variable("network") : "exchange");
  if (said === undefined || said === "") {
    return withoutNetwork(reader, signer);
  }
  if (said === "embedded") {
    return embedded(reader);
  }
  if (said === "akash") {
    reader.refuse("network", "akash is not supported by this version of dcx; there are embedded and exchange");
    return { kind: "embedded", said: true };
  }
  const described = describedNetwork(said);
  if (described === undefined) {
    reader.refuse(
      "network",
      'must be "embedded", "exchange" with `endpoints`, the URL of an exchange, or { endpoints, chainId }',
    );
    return { kind: "embedded", said: true };
  }
  return exchange(reader, signer, described);
}

function withoutNetwork(reader: Reader, signer: SignerChoice | undefined): NetworkChoice {
  if (reader.source("endpoints") !== undefined) {
    return exchange(reader, signer, {});
  }
  const signerSetting = signerSettings.find((setting) => reader.source(setting) !== undefined);
  const { CI } = reader.environment;
  if (signerSetting !== undefined) {
    const name = reader.source(signerSetting) === "input" ? signerSetting : environmentOf[signerSetting];
    reader.refuse(
      "network",
      `is not configured, but a signer is (${name}). Set \`endpoints\` to the exchange that this account deploys on, ` +
        "or `network: embedded` to deploy on this machine with a key of its own",
    );
  } else if (CI !== undefined && !["", "0", "false"].includes(CI)) {
    reader.refuse(
      "network",
      "is not configured, and CI is set: on a CI machine dcx starts no embedded network unasked. Set " +
        "`pulumi config set dcx:network embedded` if this is what you want, or `dcx:endpoints` and a signer to deploy " +
        "on an exchange",
    );
  }
  return { kind: "embedded", said: false };
}

function embedded(reader: Reader): NetworkChoice {
  for (const setting of ["endpoints", "chainId", ...signerSettings] as const) {
    if (reader.input(setting) !== undefined) {
      reader.refuse(
        setting,
        "does not go with `network: embedded`, which has an address and a key of its own. Remove one of the two",
      );
    }
  }
  return { kind: "embedded", said: true };
}

interface DescribedNetwork {
  readonly endpoints?: Value | undefined;
  readonly chainId?: Value | undefined;
}

function describedNetwork(value: Value): DescribedNetwork | undefined {
  if (value === "exchange") {
    return {};
  }
  if (typeof value === "string") {
    return value.includes("://") ? { endpoints: value } : undefined;
  }
  if (isList(value)) {
    return { endpoints: value };
  }
  if (isMap(value) && Object.keys(value).every((key) => ["endpoints", "chainId"].includes(key))) {
    return { endpoints: value["endpoints"], chainId: value["chainId"] };
  }
  return undefined;
}

function exchange(reader: Reader, signer: SignerChoice | undefined, described: DescribedNetwork): NetworkChoice {
  const given = described.endpoints ?? reader.input("endpoints") ?? reader.variable("endpoints");
  const endpoints = listOfTexts(given);
  if (given === undefined || endpoints?.length === 0) {
    reader.refuse(
      "endpoints",
      "is missing: give the URL of at least one node of the exchange, such as https://rpc.example.org",
    );
  } else if (endpoints === undefined) {
    reader.refuse("endpoints", "must be a URL or a list of URLs");
  }
  for (const endpoint of endpoints ?? []) {
    if (!isEndpoint(endpoint)) {
      reader.refuse("endpoints", `${JSON.stringify(endpoint)} is no URL that begins with http:// or https://`);
    }
  }
  const chainId = described.chainId ?? reader.text("chainId");
  if (chainId !== undefined && typeof chainId !== "string") {
    reader.refuse("chainId", "must be text");
  }
  if (signer === undefined && !signerSettings.some((setting) => reader.source(setting) !== undefined)) {
    reader.refuse(
      "mnemonic",
      "deploying on an exchange needs a signer: set mnemonic, privateKey or keyFile (as a secret), or DCX_MNEMONIC, " +
        "DCX_PRIVATE_KEY or DCX_KEY_FILE in the environment",
    );
  }
  return { kind: "exchange", endpoints: endpoints ?? [], chainId: typeof chainId === "string" ? chainId : undefined };
}

const signerSettings = ["mnemonic", "privateKey", "keyFile"] as const;

/** Of the program and the stack if they name one; only else of the environment. */
function resolveSigner(reader: Reader): SignerChoice | undefined {
  for (const source of ["input", "environment"] as const) {
    const given = signerSettings.filter((setting) => reader.source(setting) === source);
    const [setting, second] = given;
    if (setting !== undefined && second !== undefined) {
      const names = given.map((name) => (source === "input" ? name : (environmentOf[name] ?? name)));
      reader.refuse(setting, `only one of ${names.join(" and ")} may be set: they could name two accounts`);
      return undefined;
    }
    if (setting !== undefined) {
      return signerOf(reader, setting);
    }
  }
  return undefined;
}

function signerOf(reader: Reader, setting: (typeof signerSettings)[number]): SignerChoice | undefined {
  const text = reader.text(setting)?.trim();
  if (text === undefined) {
    return undefined;
  }
  if (setting === "keyFile") {
    return { kind: "keyFile", path: text };
  }
  if (setting === "privateKey") {
    const digits = text.replace(/^0x/i, "").toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(digits)) {
      reader.refuse(setting, "must be 64 hexadecimal digits (32 bytes of a secp256k1 key)");
      return undefined;
    }
    return { kind: "privateKey", privateKey: digits };
  }
  const words = text.split(/\s+/);
  if (![12, 15, 18, 21, 24].includes(words.length)) {
    reader.refuse(setting, `must be 12, 15, 18, 21 or 24 words, not ${words.length}`);
    return undefined;
  }
  return { kind: "mnemonic", mnemonic: words.join(" ") };
}

function resolveTimeout(reader: Reader): number {
  const text = reader.text("timeout");
  if (text === undefined) {
    return DEFAULT_TIMEOUT;
  }
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(s|m|h)?$/.exec(text.trim()) ?? [];
  const seconds = Number(number) * { s: 1, m: 60, h: 3600 }[unit === "m" || unit === "h" ? unit : "s"];
  if (!(seconds > 0 && seconds <= 7 * 24 * 3600)) {
    reader.refuse("timeout", 'must be a duration of at most a week, such as "90s", "10m" or "1h"');
    return DEFAULT_TIMEOUT;
  }
  return seconds;
}

function resolveFlag(reader: Reader, setting: Setting): boolean {
  const text = reader.text(setting);
  if (text !== undefined && text !== "true" && text !== "false") {
    reader.refuse(setting, "must be true or false");
  }
  return text === "true";
}

function isEndpoint(text: string): boolean {
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}

/** A text with commas in it, or a list of texts. */
function listOfTexts(value: Value | undefined): readonly string[] | undefined {
  if (typeof value === "string") {
    return value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  }
  if (value !== undefined && isList(value)) {
    const texts = value.map(plain).filter((item) => typeof item === "string");
    return texts.length === value.length ? texts : undefined;
  }
  return undefined;
}

function plain(value: Value | undefined): Value | undefined {
  return value instanceof Secret ? plain(value.reveal()) : value;
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isMap(value: Value): value is ValueMap {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
