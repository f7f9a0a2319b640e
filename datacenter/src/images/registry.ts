import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { types } from "node:util";
import { z } from "zod";
import { formatImageReference, type ImageReference } from "./reference";
import type { ImageSource } from "./source";

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

const documents = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const documentLimit = 4 * 1024 * 1024;
const patience = 30_000;

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * Looks an image up in its registry (OCI distribution specification: GET manifests and blobs; token or basic
 * authentication). Rejects with a sentence that says what the registry answered; never with the credentials.
 */
export async function findInRegistry(
  reference: ImageReference,
  credentials: RegistryCredentials | undefined,
): Promise<ImageSource> {
  const image = formatImageReference(reference);
  const host = reference.registry === "docker.io" ? "registry-1.docker.io" : reference.registry;
  const base = `${isLocal(host) ? "http" : "https"}://${host}/v2/${reference.repository}`;
  let authorization: string | undefined;

  const get = async (path: string, accept?: string): Promise<Response> => {
    const send = () =>
      request(`${base}${path}`, {
        ...(accept === undefined ? {} : { accept }),
        ...(authorization === undefined ? {} : { authorization }),
      });
    let response = await send();
    if (response.status === 401) {
      await response.body?.cancel();
      authorization = await authorize(response.headers.get("www-authenticate") ?? "", reference, credentials);
      response = await send();
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`${image}: ${host} ${explain(response.status, credentials)}`);
    }
    return response;
  };

  const readDocument = async (path: string, accept?: string): Promise<Buffer> => {
    const response = await get(path, accept);
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of toReadable(response)) {
      size += part.length;
      if (size > documentLimit) {
        throw new Error(`${image}: ${host} sent a manifest of more than ${documentLimit} bytes`);
      }
      parts.push(part);
    }
    return Buffer.concat(parts);
  };

  const top = await readDocument(`/manifests/${reference.digest ?? reference.tag ?? "latest"}`, documents);
  const digest = `sha256:${createHash("sha256").update(top).digest("hex")}`;
  return {
    name: host,
    digest: reference.digest ?? digest,
    manifest: async (wanted) =>
      wanted === (reference.digest ?? digest) ? top : readDocument(`/manifests/${wanted}`, documents),
    blob: async (wanted) => toReadable(await get(`/blobs/${wanted}`)),
  };
}

function toReadable(response: Response): Readable {
  // The web's stream type and Node's are the same object with two declarations.
  return response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as ReadableStream);
}

async function request(url: string, headers: Record<string, string>): Promise<Response> {
  try {
    // The limit is on the answer's head: a large layer may take longer.
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new Error(`no answer within ${patience / 1000} s`)), patience);
    try {
      return await fetch(url, { headers, signal: abort.signal });
    } finally {
      clearTimeout(timer);
    }
  } catch (error) {
    // fetch says only that it failed; why is in its cause.
    const cause = types.isNativeError(error) && types.isNativeError(error.cause) ? error.cause : error;
    throw new Error(`${new URL(url).host} can't be reached: ${types.isNativeError(cause) ? cause.message : cause}`, {
      cause: error,
    });
  }
}

/** Answers a 401's challenge. Resolves to the value of the Authorization header. */
async function authorize(
  challenge: string,
  { registry, repository }: ImageReference,
  credentials: RegistryCredentials | undefined,
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
  if (realm.protocol !== "https:" && !isLocal(registry)) {
    throw new Error(`${registry} wants credentials sent without encryption, to ${realm.origin}`);
  }
  realm.searchParams.set("scope", parameters.get("scope") ?? `repository:${repository}:pull`);
  const service = parameters.get("service");
  if (service !== undefined) {
    realm.searchParams.set("service", service);
  }
  const response = await request(realm.href, basic === undefined ? {} : { authorization: basic });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`${realm.host} ${explain(response.status, credentials)}`);
  }
  const token = Token.parse(await response.json());
  return `Bearer ${token.token ?? token.access_token ?? ""}`;
}

function explain(status: number, credentials: RegistryCredentials | undefined): string {
  switch (status) {
    case 401:
    case 403:
      return credentials === undefined
        ? "refuses it without credentials (or has no such image)"
        : "refuses these credentials";
    case 404:
      return "has no such image";
    case 429:
      return "answers that we ask too often";
    default:
      return `answers with status ${status}`;
  }
}

function isLocal(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?$/.test(host);
}
