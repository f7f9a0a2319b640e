import type { SignerChoice } from "@dcx/protocol";
import type { Value } from "../wire/value";
import { type IsolationClass, isolationClasses, type NetworkChoice } from "./configuration";
import { isList, isMap, listOfTexts, plain, type Reader } from "./reader";
import type { Setting } from "./settings";
import { signerSettings } from "./signer-settings";

/** Whether an exchange can be used without anybody to sign. */
export type SignerNeed = "signer-needed" | "signer-optional";

export function resolveNetwork(reader: Reader, signer: SignerChoice | undefined, need: SignerNeed): NetworkChoice {
  const said =
    reader.input("network") ?? (reader.input("endpoints") === undefined ? reader.variable("network") : "exchange");
  if (said === undefined || said === "") {
    return withoutNetwork(reader, signer, need);
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
  return exchange(reader, signer, described, need);
}

/** As far as the inputs alone say it. For comparing: nothing is refused, and nobody is needed to sign. */
export function statedNetwork(reader: Reader): NetworkChoice | undefined {
  const said = reader.input("network") ?? (reader.input("endpoints") === undefined ? undefined : "exchange");
  const described = said === undefined || said === "embedded" ? undefined : describedNetwork(said);
  if (said === "embedded") {
    return { kind: "embedded", said: true };
  }
  if (described === undefined) {
    return undefined;
  }
  const chainId = described.chainId ?? reader.input("chainId");
  const endpoints = listOfTexts(described.endpoints ?? reader.input("endpoints")) ?? [];
  return { kind: "exchange", endpoints, chainId: typeof chainId === "string" ? chainId : undefined };
}

export function resolveIsolation(reader: Reader): IsolationClass | undefined {
  const text = reader.text("minimumIsolation");
  const found = isolationClasses.find((name) => name === text);
  if (text !== undefined && found === undefined) {
    reader.refuse("minimumIsolation", `must be ${[...isolationClasses].reverse().join(", ")}`);
  }
  return found;
}

export function resolveAgentProxy(reader: Reader): string | undefined {
  const text = reader.text("agentProxy");
  if (text !== undefined && !(URL.canParse(text) && new URL(text).protocol === "http:")) {
    // Not quoted: it may hold what lets one in.
    reader.refuse("agentProxy", "must be the URL of an HTTP proxy, such as http://proxy.example.org:3128");
    return undefined;
  }
  return text;
}

function withoutNetwork(reader: Reader, signer: SignerChoice | undefined, need: SignerNeed): NetworkChoice {
  if (reader.source("endpoints") !== undefined) {
    return exchange(reader, signer, {}, need);
  }
  const signerSetting = signerSettings.find((setting) => reader.source(setting) !== undefined);
  const { CI } = reader.environment;
  if (signerSetting !== undefined) {
    reader.refuse(
      "network",
      `is not configured, but a signer is (${reader.nameOf(signerSetting)}). Set \`endpoints\` to the exchange that ` +
        "this account deploys on, or `network: embedded` to deploy on this machine with a key of its own",
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
  const others: readonly Setting[] = ["endpoints", "chainId", "agentProxy", "feeGranter", ...signerSettings];
  for (const setting of others) {
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
    return { endpoints: plain(value["endpoints"]), chainId: plain(value["chainId"]) };
  }
  return undefined;
}

function exchange(
  reader: Reader,
  signer: SignerChoice | undefined,
  described: DescribedNetwork,
  need: SignerNeed,
): NetworkChoice {
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
  for (const [index, endpoint] of (endpoints ?? []).entries()) {
    if (!isEndpoint(endpoint)) {
      // Not quoted: it may hold what lets one in.
      reader.refuse("endpoints", `number ${index + 1} is no URL that begins with http:// or https://`);
    }
  }
  const chainId = described.chainId ?? reader.text("chainId");
  if (chainId !== undefined && typeof chainId !== "string") {
    reader.refuse("chainId", "must be text");
  }
  if (
    need === "signer-needed" &&
    signer === undefined &&
    !signerSettings.some((setting) => reader.source(setting) !== undefined)
  ) {
    reader.refuse(
      "mnemonic",
      "deploying on an exchange needs a signer: set mnemonic or privateKey (as a secret), keyFile, signerCommand or " +
        "signerUrl, or DCX_MNEMONIC, DCX_PRIVATE_KEY, DCX_KEY_FILE, DCX_SIGNER_COMMAND or DCX_SIGNER_URL in the " +
        "environment",
    );
  }
  return { kind: "exchange", endpoints: endpoints ?? [], chainId: typeof chainId === "string" ? chainId : undefined };
}

function isEndpoint(text: string): boolean {
  return URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol);
}
