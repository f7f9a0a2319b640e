import { parseMnemonic, parsePrivateKey, type SignerChoice } from "@dcx/protocol";
import type { Reader } from "./reader";
import { type Setting, variableOf } from "./settings";

/** Of these one says who signs. */
export const signerSettings = ["mnemonic", "privateKey", "keyFile", "signerCommand", "signerUrl"] as const;
type SignerSetting = (typeof signerSettings)[number];

/** What goes with one of them alone. */
const companions: Readonly<Partial<Record<SignerSetting, readonly Setting[]>>> = {
  keyFile: ["keyFilePassword", "keyFilePasswordCommand"],
  signerUrl: ["signerToken", "signerCertificate", "signerCertificateKey", "signerAuthority"],
};

/** Milliseconds. */
const DEFAULT_TIMEOUT = 30_000;
const HOUR = 3_600_000;

/** Of the program and the stack if they name one; only else of the environment. */
export function resolveSigner(reader: Reader): SignerChoice | undefined {
  for (const source of ["input", "environment"] as const) {
    const given = signerSettings.filter((setting) => reader.source(setting) === source);
    const [setting, second] = given;
    if (setting !== undefined && second !== undefined) {
      const names = given.map((name) => (source === "input" ? name : variableOf(name)));
      reader.refuse(setting, `only one of ${names.join(" and ")} may be set: they could name two accounts`);
      return undefined;
    }
    if (setting !== undefined) {
      refuseStrays(reader, setting);
      return signerOf(reader, setting);
    }
  }
  refuseStrays(reader, undefined);
  return undefined;
}

/** K, which signers that never show their key can't be asked for. */
export function resolveNamespaceKey(reader: Reader, signer: SignerChoice | undefined): string | undefined {
  const key = reader.text("namespaceKey");
  if (key !== undefined && key.length < 32) {
    reader.refuse(
      "namespaceKey",
      "must be at least 32 characters: the salts of manifests follow from it. `openssl rand -hex 32` makes one",
    );
  }
  if (key === undefined && (signer?.kind === "command" || signer?.kind === "remote")) {
    const setting = signer.kind === "command" ? "signerCommand" : "signerUrl";
    reader.refuse(
      "namespaceKey",
      `is needed with ${setting}, whose key nothing can be derived from. Make one with \`openssl rand -hex 32\`, keep ` +
        "it for as long as the deployments live, and set it with `pulumi config set --secret dcx:namespaceKey` or " +
        "DCX_NAMESPACE_KEY",
    );
  }
  return key;
}

function refuseStrays(reader: Reader, chosen: SignerSetting | undefined): void {
  for (const owner of signerSettings) {
    for (const setting of companions[owner] ?? []) {
      if (owner !== chosen && reader.source(setting) === "input") {
        reader.refuse(setting, `goes with ${owner}, which is not what signs here. Set ${owner}, or remove it`);
      }
    }
  }
}

function signerOf(reader: Reader, setting: SignerSetting): SignerChoice | undefined {
  switch (setting) {
    case "mnemonic":
      return mnemonic(reader);
    case "privateKey":
      return privateKey(reader);
    case "keyFile":
      return keyFile(reader);
    case "signerCommand": {
      const command = reader.command("signerCommand");
      return command === undefined ? undefined : { kind: "command", command, timeout: signerTimeout(reader) };
    }
    case "signerUrl":
      return remote(reader);
  }
}

function mnemonic(reader: Reader): SignerChoice | undefined {
  const text = reader.text("mnemonic")?.trim();
  if (text === undefined) {
    return undefined;
  }
  const words = text.split(/\s+/);
  if (![12, 15, 18, 21, 24].includes(words.length)) {
    reader.refuse("mnemonic", `must be 12, 15, 18, 21 or 24 words, not ${words.length}`);
    return undefined;
  }
  const found = parseMnemonic(text);
  if (found === undefined) {
    reader.refuse("mnemonic", "must be words of the English BIP-39 list, in small letters");
    return undefined;
  }
  return { kind: "mnemonic", mnemonic: found };
}

function privateKey(reader: Reader): SignerChoice | undefined {
  const digits = parsePrivateKey(reader.text("privateKey") ?? "");
  if (digits === undefined) {
    reader.refuse("privateKey", "must be 64 hexadecimal digits (32 bytes of a secp256k1 key)");
    return undefined;
  }
  return { kind: "privateKey", privateKey: digits };
}

function keyFile(reader: Reader): SignerChoice | undefined {
  const path = reader.text("keyFile")?.trim();
  const [password, command] = ["keyFilePassword", "keyFilePasswordCommand"] as const;
  const both = reader.source(password) !== undefined && reader.source(password) === reader.source(command);
  if (both) {
    reader.refuse(password, `only one of ${reader.nameOf(password)} and ${reader.nameOf(command)} may be set`);
  }
  // What the program and the stack say counts before the environment, for the two of them together.
  const byCommand = reader.source(command) === "input" || reader.source(password) === undefined;
  return path === undefined
    ? undefined
    : {
        kind: "keyFile",
        path,
        password: byCommand ? undefined : reader.text(password),
        passwordCommand: byCommand ? reader.command(command) : undefined,
      };
}

function remote(reader: Reader): SignerChoice | undefined {
  const text = reader.text("signerUrl")?.trim();
  if (text === undefined) {
    return undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const here = url !== undefined && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url === undefined || !(url.protocol === "https:" || (url.protocol === "http:" && here))) {
    reader.refuse("signerUrl", "must be a URL that begins with https://; http:// is for this machine alone");
    return undefined;
  }
  if (url.username !== "" || url.password !== "") {
    reader.refuse("signerUrl", "must hold no name and password: set signerToken, or a certificate");
    return undefined;
  }
  const [certificate, certificateKey] = [reader.text("signerCertificate"), reader.text("signerCertificateKey")];
  if ((certificate === undefined) !== (certificateKey === undefined)) {
    reader.refuse(
      certificate === undefined ? "signerCertificate" : "signerCertificateKey",
      "is missing: a certificate and its key go together",
    );
  }
  return {
    kind: "remote",
    url: url.href,
    token: reader.text("signerToken"),
    certificate,
    certificateKey,
    authority: reader.text("signerAuthority"),
    timeout: signerTimeout(reader),
  };
}

function signerTimeout(reader: Reader): number {
  return reader.duration("signerTimeout", HOUR, "an hour", '"30s" or "2m"') ?? DEFAULT_TIMEOUT;
}
