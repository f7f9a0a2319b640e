import { types } from "node:util";
import type { Dispatcher } from "undici";
import { z } from "zod";
import { joinSignals, withJoined } from "../cancellation/join-signals";
import type { ManifestEnvelope, Stamps } from "../manifest/types";
import { AgentAnswerInvalid, AgentError, AgentNotTrusted, AgentRefused, AgentUnreachable } from "./agent-errors";
import type { RemoteExecution } from "./agent-exec";
import { type AgentCaller, type AgentDeployment, AgentSession, type AgentTarget } from "./agent-session";
import {
  ApiError,
  ConnectionParameters,
  DeploymentStatus,
  Identity,
  LogLine,
  ManifestDownload,
  ManifestList,
  ManifestStamps,
  Quote,
  type QuoteTerms,
  WorkloadEvent,
} from "./api";
import type { ExecStart } from "./exec";
import { type ManifestPart, partOf } from "./manifest-part";
import { NO_DEPLOYMENT } from "./statement";

export interface AgentClientOptions {
  /** For a request other than a log or a long poll, connecting included, in ms. Default 10 000. */
  readonly timeout?: number;
  /** Largest answer (and largest line of a log) that is read, in bytes. Default 4 MiB. */
  readonly maxResponseBytes?: number;
  /** `http://` URL of a proxy through which agents are reached (CONNECT). It sees no more than who is connected to. */
  readonly proxy?: string | undefined;
}

export interface AgentCallOptions {
  readonly signal?: AbortSignal | undefined;
}

interface AgentRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** From "/v1/" on, without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** First byte of the answer that is asked for. */
  readonly from?: number;
  readonly deployment?: AgentDeployment;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds that the agent itself may wait before it answers. */
  readonly wait?: number;
}

/**
 * Asks one datacenter's agent. Every method throws AgentUnreachable, AgentNotTrusted, AgentRefused,
 * AgentAnswerInvalid, or the signal's reason. Nothing is written to a peer whose certificate is not under one of the
 * target's roots. Every request may be sent again: none does more when it arrives twice.
 */
export class AgentClient implements AsyncDisposable {
  private session: Promise<AgentSession> | undefined;
  private readonly timeout: number;
  private readonly maxBytes: number;
  private readonly proxy: URL | undefined;

  constructor(
    private readonly target: AgentTarget,
    private readonly caller: AgentCaller,
    options: AgentClientOptions = {},
  ) {
    this.timeout = options.timeout ?? 10_000;
    this.maxBytes = options.maxResponseBytes ?? 4 * 2 ** 20;
    this.proxy = options.proxy === undefined ? undefined : new URL(options.proxy);
  }

  /** Who the agent says that it is. */
  identity({ signal }: AgentCallOptions = {}): Promise<Identity> {
    return this.json(Identity, { method: "GET", path: "/v1/identity", signal });
  }

  /** `order`: text id `<tenant>/<sequence>/<infrastructure>/<generation>`. */
  quote(order: string, { signal }: AgentCallOptions = {}): Promise<Quote> {
    return this.json(Quote, { method: "POST", path: "/v1/quotes", body: { order }, signal });
  }

  /**
   * What the datacenter would ask for terms that are no order yet, or why it would not bid. With `tenant`, the caller's
   * own account, as for that one; without, as for a stranger.
   */
  quoteTerms(
    terms: QuoteTerms,
    { signal, tenant }: AgentCallOptions & { readonly tenant?: string | undefined } = {},
  ): Promise<Quote> {
    const request = { method: "POST", path: "/v1/quotes", signal } as const;
    return this.json(
      Quote,
      tenant === undefined
        ? { ...request, body: { terms } }
        : { ...request, body: { terms, tenant }, deployment: { tenant, sequence: NO_DEPLOYMENT } },
    );
  }

  manifests(deployment: AgentDeployment, { signal }: AgentCallOptions = {}): Promise<ManifestList> {
    return this.json(ManifestList, { method: "GET", path: `${pathOf(deployment)}/manifests`, deployment, signal });
  }

  /** Stages it, or activates it where the chain names it already. `version` in hexadecimal. */
  async putManifest(
    deployment: AgentDeployment,
    version: string,
    manifest: ManifestEnvelope,
    { signal }: AgentCallOptions = {},
  ): Promise<void> {
    const path = `${pathOf(deployment)}/manifests/${version}`;
    await this.bytes({ method: "PUT", path, body: manifest, deployment, signal });
  }

  /** Undefined: the agent holds no such version. The hash is NOT checked here. */
  async manifest(
    deployment: AgentDeployment,
    version: string,
    { signal }: AgentCallOptions = {},
  ): Promise<ManifestDownload | undefined> {
    const path = `${pathOf(deployment)}/manifests/${version}`;
    try {
      return await this.json(ManifestDownload, { method: "GET", path, deployment, signal });
    } catch (error) {
      if (error instanceof AgentRefused && error.status === 404) return undefined;
      throw error;
    }
  }

  /**
   * The manifest's text from a byte on, as much as one answer carries; undefined: the agent holds no such version. The
   * hash is NOT checked here. Nothing limits how long it takes but `signal`. With `wait` the agent waits so many milliseconds
   * for what it lacks now, and while others fetch it.
   */
  async manifestPart(
    deployment: AgentDeployment,
    version: string,
    from: number,
    signal: AbortSignal,
    wait = 0,
  ): Promise<ManifestPart | undefined> {
    const path = `${pathOf(deployment)}/manifests/${version}/text`;
    const query = { wait: wait > 0 ? wait.toString() : undefined };
    const request = { method: "GET", path, query, from, deployment, signal } as const;
    try {
      const { headers, body } = await this.open(request, signal);
      const part = partOf(headers["content-range"], from, body);
      if (typeof part !== "string") return part;
      body.on("error", () => undefined).destroy();
      throw this.invalid(request, part);
    } catch (error) {
      if (error instanceof AgentRefused && error.status === 404) return undefined;
      signal.throwIfAborted();
      throw error instanceof AgentError ? error : this.unreachable([error]);
    }
  }

  /** The stamps of a version's entries; a holder that lacks the version refuses. */
  manifestStamps(deployment: AgentDeployment, version: string, { signal }: AgentCallOptions = {}): Promise<Stamps> {
    const path = `${pathOf(deployment)}/manifests/${version}/stamps`;
    return this.json(ManifestStamps, { method: "GET", path, deployment, signal });
  }

  /** With `after` (a cursor) the agent waits up to `wait` ms for a newer one, then answers what there is. */
  status(
    deployment: AgentDeployment,
    { signal, after, wait }: AgentCallOptions & { readonly after?: string; readonly wait?: number } = {},
  ): Promise<DeploymentStatus> {
    const query = { after, wait: wait?.toString() };
    const path = `${pathOf(deployment)}/status`;
    return this.json(DeploymentStatus, { method: "GET", path, query, deployment, signal, wait: wait ?? 0 });
  }

  /** The lines of a workload's instances, oldest first; with `follow` until the signal aborts. */
  async *logs(
    deployment: AgentDeployment,
    workload: string,
    {
      signal,
      follow,
      tail,
      instance,
    }: AgentCallOptions & { readonly follow?: boolean; readonly tail?: number; readonly instance?: number } = {},
  ): AsyncGenerator<LogLine, void, undefined> {
    yield* this.stream(LogLine, {
      method: "GET",
      path: `${pathOf(deployment)}/workloads/${encodeURIComponent(workload)}/logs`,
      query: { follow: follow ? "true" : undefined, tail: tail?.toString(), instance: instance?.toString() },
      deployment,
      signal,
    });
  }

  /** What happened to a deployment's instances since the agent began, oldest first; with `follow` until the signal aborts. */
  async *events(
    deployment: AgentDeployment,
    { signal, follow }: AgentCallOptions & { readonly follow?: boolean } = {},
  ): AsyncGenerator<WorkloadEvent, void, undefined> {
    const path = `${pathOf(deployment)}/events`;
    const query = { follow: follow ? "true" : undefined };
    yield* this.stream(WorkloadEvent, { method: "GET", path, query, deployment, signal });
  }

  /** Answers that come a line each, as long as the agent sends them. */
  private async *stream<T>(schema: z.ZodType<T>, request: AgentRequest): AsyncGenerator<T, void, undefined> {
    const { signal } = request;
    const leaving = new AbortController();
    const { signal: ended, leave } = joinSignals(signal, leaving.signal);
    try {
      const { body } = await this.open(request, ended);
      for await (const line of this.lines(body, request)) {
        yield this.parse(schema, line, request);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof AgentError ? error : this.unreachable([error]);
    } finally {
      leaving.abort();
      leave();
    }
  }

  /**
   * Runs a command in an instance of a workload. Resolves when the agent has agreed to it; whether it could be started is
   * seen at `exited`. The statement has to allow "exec".
   */
  async exec(
    deployment: AgentDeployment,
    workload: string,
    start: ExecStart,
    { signal }: AgentCallOptions = {},
  ): Promise<RemoteExecution> {
    const path = `${pathOf(deployment)}/workloads/${encodeURIComponent(workload)}/exec`;
    const { executeRemotely, upgradeToExec } = await import("./agent-exec.js");
    const session = await this.currentSession();
    const headers = await session.headers(deployment);
    return await this.atFirst(signal, async (url) => {
      const request = { datacenter: this.target.datacenter, url, path, headers, signal };
      return executeRemotely(await upgradeToExec(await session.open(url), request), start, request);
    });
  }

  /** What a holder tells its peers, so that they can tunnel to its workloads. */
  parameters(deployment: AgentDeployment, { signal }: AgentCallOptions = {}): Promise<ConnectionParameters> {
    const path = `${pathOf(deployment)}/parameters`;
    return this.json(ConnectionParameters, { method: "GET", path, deployment, signal });
  }

  /** Ends the connections, those in use included. */
  async close(): Promise<void> {
    const session = this.session;
    this.session = undefined;
    await (await session?.catch(() => undefined))?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async json<T>(schema: z.ZodType<T>, request: AgentRequest): Promise<T> {
    return this.parse(schema, await this.bytes(request), request);
  }

  /** The whole answer, within the timeout. */
  private async bytes(request: AgentRequest): Promise<Buffer> {
    const timeout = AbortSignal.timeout(this.timeout + (request.wait ?? 0));
    try {
      return await withJoined([request.signal, timeout], async (ended) =>
        this.readAll((await this.open(request, ended)).body, request),
      );
    } catch (error) {
      request.signal?.throwIfAborted();
      throw error instanceof AgentError ? error : this.unreachable([error]);
    }
  }

  /** An answer that is no refusal, from the first URL that answers. */
  private open(request: AgentRequest, ended: AbortSignal): Promise<Dispatcher.ResponseData> {
    return this.atFirst(request.signal, (url) => this.openAt(url, request, ended), ended);
  }

  /** What the first URL gives that answers, be it with a refusal. */
  private async atFirst<T>(
    signal: AbortSignal | undefined,
    ask: (url: URL) => Promise<T>,
    ended?: AbortSignal,
  ): Promise<T> {
    const failures: unknown[] = [];
    for (const url of this.target.urls) {
      try {
        return await ask(parseUrl(url));
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof AgentRefused || error instanceof AgentAnswerInvalid) throw error;
        failures.push(error);
        if (ended?.aborted === true) break;
      }
    }
    // An impostor is worse news than silence.
    throw failures.find((failure) => failure instanceof AgentNotTrusted) ?? this.unreachable(failures);
  }

  private async openAt(url: URL, request: AgentRequest, ended: AbortSignal): Promise<Dispatcher.ResponseData> {
    const session = await this.currentSession();
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) query.set(name, value);
    }
    const search = query.size === 0 ? "" : `?${query}`;
    const answer = await session.pool(url).request({
      method: request.method,
      path: `${url.pathname.replace(/\/$/, "")}${request.path}${search}`,
      headers: {
        ...(await session.headers(request.deployment)),
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        ...(request.from === undefined ? {} : { range: `bytes=${request.from}-` }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      signal: ended,
    });
    const { statusCode, body } = answer;
    if (statusCode >= 200 && statusCode < 300) return answer;
    const refusal = ApiError.safeParse(parseJson(await this.readAll(body, request)));
    throw new AgentRefused(
      this.target.datacenter,
      statusCode,
      refusal.data?.code ?? "unknown",
      refusal.data?.message ?? "it gave no reason",
      describe(request),
    );
  }

  private async currentSession(): Promise<AgentSession> {
    const current = this.session;
    if (current !== undefined) {
      const known = await current;
      if (Date.now() < known.renewAt) return known;
    }
    // Another request may have started the next one meanwhile.
    if (this.session !== undefined && this.session !== current) return this.session;
    // What still runs on the old one ends there; nothing new starts on it, and its idle connections close.
    const next = AgentSession.start(this.target, this.caller, this.proxy, Date.now());
    this.session = next;
    next.catch(() => {
      if (this.session === next) this.session = undefined;
    });
    return next;
  }

  private async readAll(body: AsyncIterable<Buffer>, request: AgentRequest): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > this.maxBytes) throw this.invalid(request, `more than ${this.maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  private async *lines(body: AsyncIterable<Buffer>, request: AgentRequest): AsyncGenerator<Buffer, void, undefined> {
    let rest = Buffer.alloc(0);
    for await (const chunk of body) {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        if (end > 0) yield rest.subarray(0, end);
        rest = rest.subarray(end + 1);
      }
      if (rest.length > this.maxBytes) throw this.invalid(request, `a line of more than ${this.maxBytes} bytes`);
    }
    if (rest.length > 0) yield rest;
  }

  private parse<T>(schema: z.ZodType<T>, bytes: Buffer, request: AgentRequest): T {
    const parsed = schema.safeParse(parseJson(bytes));
    // The path of what is wrong, never its value: that may be a manifest.
    if (!parsed.success) throw this.invalid(request, z.prettifyError(parsed.error));
    return parsed.data;
  }

  private invalid(request: AgentRequest, reason: string): AgentAnswerInvalid {
    return new AgentAnswerInvalid(this.target.datacenter, describe(request), reason);
  }

  private unreachable(failures: readonly unknown[]): AgentUnreachable {
    const reasons = failures.map((failure) => reasonOf(failure, this.timeout));
    return new AgentUnreachable(this.target.datacenter, this.target.urls, reasons, { cause: failures.at(-1) });
  }
}

function pathOf({ tenant, sequence }: AgentDeployment): string {
  return `/v1/deployments/${encodeURIComponent(tenant)}/${sequence}`;
}

function describe({ method, path }: AgentRequest): string {
  return `${method} ${path}`;
}

function parseUrl(text: string): URL {
  const url = new URL(text);
  if (url.protocol !== "https:") throw new Error("the chain names no https URL");
  return url;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

function reasonOf(failure: unknown, timeout: number): string {
  // A DOMException, which is not an Error in every realm.
  if (typeof failure === "object" && failure !== null && "name" in failure && failure.name === "TimeoutError") {
    return `no answer within ${timeout} ms`;
  }
  if (!types.isNativeError(failure)) return String(failure);
  // Both IPv4 and IPv6 were tried.
  if ("errors" in failure && Array.isArray(failure.errors)) return reasonOf(failure.errors[0], timeout);
  return failure.message;
}
