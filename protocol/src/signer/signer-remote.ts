import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SignerFailed } from "../client/errors";
import type { SignerTransport } from "./external-signer";
import type { SignerRequest } from "./signer-protocol";

export interface RemoteSignerOptions {
  /** https, or http on this machine. */
  readonly url: string;
  /** Bearer token. */
  readonly token: string | undefined;
  /** PEM, or the path of a file with it: the client's certificate and its key, and who vouches for the server. */
  readonly certificate: string | undefined;
  readonly certificateKey: string | undefined;
  readonly authority: string | undefined;
  /** Milliseconds for one answer, attempts included. */
  readonly timeout: number;
}

const firstDelay = 200;

/**
 * Posts each request. One that was not answered is sent again with growing pauses until the time is over: signing the
 * same thing twice does no harm.
 */
export function remoteTransport(options: RemoteSignerOptions): SignerTransport {
  const name = `the remote signer ${shownUrl(options.url)}`;
  let dispatcher: Promise<import("undici").Agent> | undefined;
  return {
    name,
    async ask(request: SignerRequest) {
      const { request: send } = await import("undici");
      dispatcher ??= agentOf(options);
      const agent = await dispatcher;
      const signal = AbortSignal.timeout(options.timeout);
      for (let delay = firstDelay; ; delay *= 2) {
        let failure: string;
        try {
          const { statusCode, body } = await send(options.url, {
            method: "POST",
            dispatcher: agent,
            signal,
            headers: {
              "content-type": "application/json",
              ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
            },
            body: JSON.stringify(request),
          });
          const text = await body.text();
          const answer = parseJson(text);
          // A refusal has a status of its own and the protocol's body.
          if (answer !== undefined) return answer;
          failure = `it answers with HTTP ${statusCode} and no JSON`;
          if (statusCode < 500) throw new SignerFailed(`${capital(name)} can't be used: ${failure}.`);
        } catch (error) {
          if (error instanceof SignerFailed) throw error;
          failure = signal.aborted ? "no answer" : reason(error);
        }
        if (!signal.aborted) await sleep(delay, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) {
          throw new SignerFailed(`${capital(name)} gave no answer within ${options.timeout / 1000} s: ${failure}.`);
        }
      }
    },
  };
}

async function agentOf({ certificate, certificateKey, authority }: RemoteSignerOptions) {
  const { Agent } = await import("undici");
  return new Agent({
    connect: {
      ...(certificate === undefined ? {} : { cert: pem(certificate, "certificate") }),
      ...(certificateKey === undefined ? {} : { key: pem(certificateKey, "key of the certificate") }),
      ...(authority === undefined ? {} : { ca: pem(authority, "authority's certificate") }),
    },
    keepAliveTimeout: 1_000,
  });
}

function pem(value: string, what: string): string {
  if (value.includes("-----BEGIN")) return value;
  try {
    return readFileSync(value, "utf8");
  } catch (error) {
    throw new SignerFailed(`The ${what} for the remote signer can't be read from ${value}: ${reason(error)}.`);
  }
}

/** Without credentials that a URL may hold. */
function shownUrl(text: string): string {
  const { origin, pathname } = new URL(text);
  return `${origin}${pathname === "/" ? "" : pathname}`;
}

function reason(error: unknown): string {
  if (error instanceof AggregateError) return reason(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
