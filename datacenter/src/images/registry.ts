import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { types } from "node:util";
import { manifestMediaTypes, type RegistryCredentials, registryAuthorization, registryOrigin } from "@dcx/protocol";
import { formatImageReference, type ImageReference } from "./reference";
import type { ImageSource } from "./source";

const documentLimit = 4 * 1024 * 1024;
const patience = 30_000;

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
  const base = `${registryOrigin(host)}/v2/${reference.repository}`;
  let authorization: string | undefined;

  const askForToken = async (url: string, headers: Record<string, string>): Promise<Response> => {
    const response = await request(url, headers);
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`${new URL(url).host} ${explain(response.status, credentials)}`);
    }
    return response;
  };

  const get = async (path: string, accept?: string): Promise<Response> => {
    const send = () =>
      request(`${base}${path}`, {
        ...(accept === undefined ? {} : { accept }),
        ...(authorization === undefined ? {} : { authorization }),
      });
    let response = await send();
    if (response.status === 401) {
      await response.body?.cancel();
      const challenge = response.headers.get("www-authenticate") ?? "";
      const place = { host: reference.registry, repository: reference.repository };
      authorization = await registryAuthorization(challenge, place, credentials, askForToken);
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

  const top = await readDocument(`/manifests/${reference.digest ?? reference.tag ?? "latest"}`, manifestMediaTypes);
  const digest = `sha256:${createHash("sha256").update(top).digest("hex")}`;
  return {
    name: host,
    digest: reference.digest ?? digest,
    manifest: async (wanted) =>
      wanted === (reference.digest ?? digest) ? top : readDocument(`/manifests/${wanted}`, manifestMediaTypes),
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
