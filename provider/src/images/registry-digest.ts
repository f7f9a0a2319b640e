import { type ImageReference, parseImageReference } from "@dcx/protocol";
import { z } from "zod";

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

const MANIFESTS = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** Top-level domains that nobody can have a registry under (RFC 2606). */
const NOWHERE = /(^|\.)(example|test|invalid)$|(^|\.)example\.(com|net|org)$/;

/** Where an image's registry answers; `undefined`: it names a digest already, or no registry that could be asked. */
export function registryOf(
  image: string,
): { readonly host: string; readonly repository: string; readonly tag: string } | undefined {
  const parsed: ImageReference | { problem: string } = parseImageReference(image);
  if ("problem" in parsed || parsed.digest !== undefined || parsed.tag === undefined) {
    return undefined;
  }
  const { registry = "docker.io", repository, tag } = parsed;
  const hub = registry === "docker.io" || registry === "index.docker.io";
  const host = hub ? "registry-1.docker.io" : registry;
  return NOWHERE.test(host.replace(/:\d+$/, "").toLowerCase())
    ? undefined
    : { host, repository: hub && !repository.includes("/") ? `library/${repository}` : repository, tag };
}

/**
 * The digest that a tag has in its registry now (OCI distribution specification: HEAD of a manifest, which counts against
 * no quota; token or basic authentication). Rejects where the registry does not tell; never with the credentials, which go
 * to the registry and where its challenge sends them over HTTPS, and nowhere else.
 */
export async function digestInRegistry(
  image: string,
  credentials: RegistryCredentials | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const place = registryOf(image);
  if (place === undefined) {
    return undefined;
  }
  const { host, repository, tag } = place;
  const url = `${isLocal(host) ? "http" : "https"}://${host}/v2/${repository}/manifests/${tag}`;
  const ask = (authorization: string | undefined): Promise<Response> =>
    fetch(url, {
      method: "HEAD",
      headers: { accept: MANIFESTS, ...(authorization === undefined ? {} : { authorization }) },
      signal,
    });
  let response = await ask(undefined);
  if (response.status === 401) {
    const challenge = response.headers.get("www-authenticate") ?? "";
    response = await ask(await authorization(challenge, { host, repository }, credentials, signal));
  }
  const digest = response.headers.get("docker-content-digest") ?? "";
  return response.ok && /^sha256:[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}

async function authorization(
  challenge: string,
  { host, repository }: { readonly host: string; readonly repository: string },
  credentials: RegistryCredentials | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const basic =
    credentials === undefined
      ? undefined
      : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;
  if (!/^bearer /i.test(challenge)) {
    return basic;
  }
  const parameters = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key ?? "", value ?? ""]),
  );
  const realm = new URL(parameters.get("realm") ?? "");
  if (realm.protocol !== "https:" && !isLocal(host)) {
    throw new Error("the registry wants credentials sent without encryption");
  }
  realm.searchParams.set("scope", parameters.get("scope") ?? `repository:${repository}:pull`);
  const service = parameters.get("service");
  if (service !== undefined) {
    realm.searchParams.set("service", service);
  }
  const response = await fetch(realm, { headers: basic === undefined ? {} : { authorization: basic }, signal });
  const { token, access_token: access } = Token.parse(await response.json());
  return `Bearer ${token ?? access ?? ""}`;
}

function isLocal(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?$/.test(host);
}
