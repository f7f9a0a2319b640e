import { accessSync, constants, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { ExchangeQueryClient, formatTokens } from "@dcx/protocol";
import { readAccountKey } from "./account-key";
import type { DatacenterConfiguration } from "./configuration";
import { openSigner } from "./datacenter";
import { certificatesIn, readCertificate } from "./overlay/ingress/certificates";
import { openRuntime } from "./runtime/open";

/** One thing that was looked at. */
export interface CheckFinding {
  readonly what: string;
  /** "warning": it runs, though not as one may expect. */
  readonly state: "good" | "warning" | "bad";
  /** What was found, or what is wrong and what to do. */
  readonly message: string;
}

/** Looks at all that a configuration names, on this machine and, unless `offline`, on the chain. Changes nothing. */
export async function checkDatacenter(
  configuration: DatacenterConfiguration,
  // How long an exchange is asked for, in milliseconds.
  { offline, patience = 5_000 }: { readonly offline: boolean; readonly patience?: number },
): Promise<readonly CheckFinding[]> {
  const looks: (readonly [what: string, look: () => Promise<Found> | Found])[] = [
    ["key", () => keyOf(configuration)],
    ["home", () => homeOf(configuration)],
    ["isolation", () => isolationOf(configuration)],
    ["addresses", () => addressesOf(configuration)],
    ...[configuration.ingress].flatMap((ingress) =>
      ingress?.domain === undefined ? [] : [["host names", () => namesOf(ingress)] as const],
    ),
    ...configuration.imageLayouts.map((folder) => [`images in ${folder}`, () => layoutOf(folder)] as const),
    ...(configuration.pricing.strategy === "script"
      ? [["pricing", scriptOf(configuration.pricing.command)] as const]
      : []),
    ...(offline ? [] : [["exchange", () => exchangeOf(configuration, patience)] as const]),
  ];
  const findings: CheckFinding[] = [];
  for (const [what, look] of looks) {
    try {
      const found = await look();
      findings.push({ what, ...(typeof found === "string" ? { state: "good", message: found } : found) });
    } catch (error) {
      findings.push({ what, state: "bad", message: error instanceof Error ? error.message : String(error) });
    }
  }
  return findings;
}

/** A text: it is as it should be. */
type Found = string | { readonly state: "warning"; readonly message: string };

async function keyOf(configuration: DatacenterConfiguration): Promise<string> {
  readAccountKey(configuration.keyFile);
  return (await openSigner(configuration)).address;
}

function homeOf({ home }: DatacenterConfiguration): string {
  let folder = home;
  // The first start makes it.
  while (!exists(folder) && dirname(folder) !== folder) folder = dirname(folder);
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new Error(`${folder} can't be written to by this user`);
  }
  return folder === home ? home : `${home}, to be made`;
}

async function isolationOf({
  containerSocket,
  imageLayouts,
  isolation,
  trustedTenants,
}: DatacenterConfiguration): Promise<Found> {
  const home = mkdtempSync(join(tmpdir(), "dcx-check-"));
  try {
    const quiet = { info: () => undefined, warn: () => undefined };
    const socket = containerSocket === undefined ? {} : { containerSocket };
    const runtime = await openRuntime({ isolation, home, imageLayouts, datacenter: "check", logger: quiet, ...socket });
    await runtime.close();
    const { isolation: found, unenforced } = runtime;
    if (found !== "none" && unenforced.length === 0) return `${found}, all limits hold`;
    const lacks = found === "none" ? "workloads are not kept apart" : `not enforced: ${unenforced.join(", ")}`;
    const whom = trustedTenants.length === 0 ? "nobody, for `trustedTenants` is empty" : "`trustedTenants` only";
    return { state: "warning", message: `${found}, ${lacks}: it serves ${whom}` };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function addressesOf({ advertise, listen }: DatacenterConfiguration): Found {
  const everywhere = ["0.0.0.0", "::"];
  if (advertise.agentUrls === undefined && everywhere.includes(listen.agent.host)) {
    throw new Error(
      `advertise.agentUrls is needed: say how others reach the agent, which listens on ${listen.agent.host}`,
    );
  }
  if (advertise.tunnelAddresses === undefined && everywhere.includes(listen.tunnel.host)) {
    throw new Error(`advertise.tunnelAddresses is needed: say how others reach tunnels on ${listen.tunnel.host}`);
  }
  const local = advertise.agentUrls === undefined && /^(127\.|localhost$|::1$)/.test(listen.agent.host);
  const message = advertise.agentUrls?.join(", ") ?? `${listen.agent.host}:${listen.agent.port}`;
  return local ? { state: "warning", message: `${message}: reached from this machine only` } : message;
}

function namesOf(ingress: NonNullable<DatacenterConfiguration["ingress"]>): Found {
  const { certificates, certificateFolder, domain = "" } = ingress;
  const names = `*.${domain}`;
  const more = certificateFolder === undefined ? [] : certificatesIn(certificateFolder);
  const read = [...certificates, ...more].map((files) => ({ ...files, ...readCertificate(files) }));
  const found = read.find(({ certificate }) => certificate.checkHost(`any.${domain}`) !== undefined);
  if (found === undefined) {
    const message = `${names}: no certificate of yours is for them; clients have to trust this datacenter's root`;
    return { state: "warning", message };
  }
  const { validTo } = found.certificate;
  if (Date.parse(validTo) < Date.now()) throw new Error(`${found.certificateFile}: it expired, ${validTo}: renew it`);
  return `${names}, by a certificate that is valid until ${validTo}`;
}

function layoutOf(folder: string): string {
  if (!exists(folder)) throw new Error("there is no such folder");
  return "there";
}

function scriptOf([file = ""]: readonly string[]) {
  return (): string => {
    const places = isAbsolute(file) ? [file] : (process.env["PATH"] ?? "").split(delimiter).map((at) => join(at, file));
    const found = places.find((place) => {
      try {
        accessSync(place, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
    if (found === undefined) throw new Error(`${file} is no program that this user can run`);
    return found;
  };
}

async function exchangeOf(configuration: DatacenterConfiguration, patience: number): Promise<Found> {
  const { chain, region } = configuration;
  const expected = chain.chainId === undefined ? {} : { chainId: chain.chainId };
  using query = await ExchangeQueryClient.connect(chain.endpoints, { ...expected, patience });
  const { address } = await openSigner(configuration);
  const [account, { datacenters }, height] = await Promise.all([
    query.account(address),
    query.datacenters({ address }),
    query.height(),
  ]);
  const where = `${query.chainId} at block ${height}`;
  const balance = account?.balance ?? 0n;
  if (balance === 0n) throw new Error(`${where}: ${address} has no tokens, and needs some for fees and collateral`);
  const record = datacenters[0];
  const has = `${where}; ${address} has ${formatTokens(balance)} tokens`;
  if (record === undefined) return `${has} and is not registered yet, which the first start does`;
  if (record.region !== region) {
    return { state: "warning", message: `${has} and is registered in region ${record.region}, not ${region}` };
  }
  return `${has} and is registered`;
}

function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}
