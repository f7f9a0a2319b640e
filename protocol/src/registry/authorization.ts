import { z } from "zod";

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** Media types of the manifests of images, as a registry is asked for them. */
export const manifestMediaTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** Where a registry answers: over HTTPS, unless it is this machine's own. */
export function registryOrigin(host: string): string {
  return `${isLocal(host) ? "http" : "https"}://${host}`;
}

/**
 * Answers the challenge of a registry's 401 (OCI distribution specification: token or basic authentication). The credentials
 * go to the registry and to where its challenge sends them over HTTPS, and nowhere else.
 *
 * @param request rejects where there is no answer, or none with a token
 * @returns the value of the Authorization header; `undefined` where there are no credentials to give
 * @throws Error where the credentials would go over a wire in clear; never with them in it
 */
export async function registryAuthorization(
  challenge: string,
  { host, repository }: { readonly host: string; readonly repository: string },
  credentials: RegistryCredentials | undefined,
  request: (url: string, headers: Record<string, string>) => Promise<Response>,
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
    throw new Error(`${host} wants credentials sent without encryption, to ${realm.origin}`);
  }
  realm.searchParams.set("scope", parameters.get("scope") ?? `repository:${repository}:pull`);
  const service = parameters.get("service");
  if (service !== undefined) {
    realm.searchParams.set("service", service);
  }
  const response = await request(realm.href, basic === undefined ? {} : { authorization: basic });
  const { token, access_token: access } = Token.parse(await response.json());
  return `Bearer ${token ?? access ?? ""}`;
}

function isLocal(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?$/.test(host);
}
