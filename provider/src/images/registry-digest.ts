import {
  type ImageReference,
  manifestMediaTypes,
  parseImageReference,
  type RegistryCredentials,
  registryAuthorization,
  registryOrigin,
} from "@dcx/protocol";

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
  const url = `${registryOrigin(host)}/v2/${repository}/manifests/${tag}`;
  const ask = (authorization: string | undefined): Promise<Response> =>
    fetch(url, {
      method: "HEAD",
      headers: { accept: manifestMediaTypes, ...(authorization === undefined ? {} : { authorization }) },
      signal,
    });
  let response = await ask(undefined);
  if (response.status === 401) {
    const challenge = response.headers.get("www-authenticate") ?? "";
    const askForToken = (url: string, headers: Record<string, string>): Promise<Response> =>
      fetch(url, { headers, signal });
    response = await ask(await registryAuthorization(challenge, place, credentials, askForToken));
  }
  const digest = response.headers.get("docker-content-digest") ?? "";
  return response.ok && /^sha256:[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}
