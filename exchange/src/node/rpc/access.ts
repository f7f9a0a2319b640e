import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { BoundedCache } from "../../storage/bounded-cache";

export interface AccessRules {
  /** Names besides addresses and localhost by which this node may be called. */
  readonly allowedHosts: readonly string[];
  /** Web pages' origins that may call it, such as https://wallet.example. "*": all. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Why a request is refused, or undefined. A page of any site can make a browser call 127.0.0.1: it shows in Origin
 * and Sec-Fetch-Site. A name that its owner points to 127.0.0.1 (DNS rebinding) shows in Host: so only addresses,
 * localhost and the names that the operator gave are served.
 */
export function refusalOfAccess(request: IncomingMessage, rules: AccessRules): string | undefined {
  const host = request.headers.host;
  const name = host === undefined ? undefined : hostName(host);
  if (host === undefined || name === undefined) return "the Host header is missing or malformed";
  if (name !== "localhost" && isIP(name) === 0 && !rules.allowedHosts.includes(name)) {
    return `the host ${JSON.stringify(name)} is not allowed: call the node by its address, or add the name to its allowed hosts`;
  }
  const origin = request.headers.origin;
  if (origin !== undefined) {
    if (rules.allowedOrigins.includes("*") || rules.allowedOrigins.includes(origin)) return undefined;
    if (origin === `http://${host}`) return undefined;
    return `the origin ${JSON.stringify(origin)} is not allowed: add it to the node's allowed origins`;
  }
  const site = request.headers["sec-fetch-site"];
  if (site === "cross-site" || site === "same-site") return "requests from other sites' pages are not allowed";
  return undefined;
}

// Clients say the same host each time, and parsing a URL takes long beside all else that is done for a call.
const knownNames = new BoundedCache<string, { readonly name: string | undefined }>(64);

function hostName(host: string): string | undefined {
  const known = knownNames.get(host);
  if (known !== undefined) return known.name;
  const name = parseHostName(host);
  if (host.length <= 256) knownNames.set(host, { name });
  return name;
}

function parseHostName(host: string): string | undefined {
  try {
    const { hostname } = new URL(`http://${host}`);
    return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  } catch {
    return undefined;
  }
}
