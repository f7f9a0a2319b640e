import type { Server } from "node:https";
import { MAX_MANIFEST_PART_BYTES, type ManifestEnvelope, ManifestUpload, parseManifest } from "@dcx/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { ManifestStore } from "../manifest/store";
import { Turns } from "../manifest/turns";
import type { Authorized } from "./authorization";
import { closedBy } from "./closed-by";
import { Refusal } from "./refusal";
import { mustHold, parse } from "./requests";
import type { AgentApiOptions } from "./server";

export interface DeploymentParams {
  readonly tenant: string;
  readonly sequence: string;
}
type VersionParams = DeploymentParams & { readonly version: string };

export const deploymentPath = "/v1/deployments/:tenant/:sequence";
const path = `${deploymentPath}/manifests`;

const Version = z.string().regex(/^[0-9a-f]{64}$/);
const openRange = /^bytes=(\d{1,10})-$/;
const WaitQuery = z.object({ wait: z.coerce.number().int().min(0).default(0) });
/** Longest that a peer waits for a manifest, or for a place in which it fetches that, in milliseconds. */
const longestWait = 30_000;
/** After so many milliseconds of waiting it is seen anew whether the peer may be served. */
const longestTrusted = 100;
/** How many wait for manifests that are not here yet, at most: each is a connection. Others are told so at once. */
const mostWaiting = 250;

/** What a tenant hands over, and holders give to one another. design: "Handing it over". */
export function serveManifests(server: FastifyInstance<Server>, options: AgentApiOptions): void {
  const { activeVersion, authorization, logger, parameters, store } = options;
  server.get<{ Params: DeploymentParams }>(path, async (request) => {
    const { deployment } = mustHold(await authorization.authorize(request, "manage", ["account", "peer"]));
    const active = activeVersion(deployment);
    const staged = store.versions(deployment).filter((version) => version !== active);
    return { ...(active === undefined ? {} : { active }), staged };
  });
  /** Who sends a manifest is known before any of it is read: it is large. */
  const uploads = new WeakMap<object, Authorized>();
  const onRequest = async (request: FastifyRequest<{ Params: VersionParams }>) => {
    uploads.set(request, mustHold(await authorization.authorize(request, "manage", ["account"])));
  };
  server.put<{ Params: VersionParams }>(`${path}/:version`, { onRequest }, async (request, reply) => {
    const authorized = uploads.get(request);
    if (authorized === undefined) throw new Error("a manifest came from nobody");
    const { caller, deployment } = authorized;
    const version = parse(Version, request.params.version, "the version");
    const upload = parse(ManifestUpload, request.body, "the request");
    try {
      parseManifest(upload.manifest);
      store.put(deployment, version, upload);
    } catch (error) {
      throw new Refusal(422, "bad-manifest", error instanceof Error ? error.message : "the manifest can't be read");
    }
    logger.info({ deployment, version, by: caller }, "manifest staged");
    return reply.code(204).send();
  });
  server.get<{ Params: VersionParams }>(`${path}/:version`, async (request) => {
    const { deployment } = mustHold(await authorization.authorize(request, "manage", ["account", "peer"]));
    return heldOf(options, deployment, request.params.version);
  });
  serveParts(server, options);
  server.get<{ Params: DeploymentParams }>(`${deploymentPath}/parameters`, async (request) => {
    const { deployment } = mustHold(await authorization.authorize(request, "manage", ["peer"]));
    return await parameters(deployment);
  });
}

/** The text in parts, for holders alone: it is large, and its way may be long. */
function serveParts(server: FastifyInstance<Server>, options: AgentApiOptions): void {
  const { authorization, signal, store } = options;
  const turns = new Turns();
  const arrivals = new Arrivals(store);
  server.get<{ Params: VersionParams }>(`${path}/:version/text`, async (request, reply) => {
    const { caller, deployment } = mustHold(await authorization.authorize(request, "manage", ["peer"]));
    const peer = caller.kind === "peer" ? caller.datacenter : "";
    const { version } = request.params;
    const deadline = performance.now() + Math.min(parse(WaitQuery, request.query, "the query").wait, longestWait);
    const gone = closedBy(reply, signal);
    const waited = await arrivals.of(deployment, version, deadline - performance.now(), gone);
    const text = bytesOf(heldOf(options, deployment, version));
    const first = Number(openRange.exec(request.headers.range ?? "bytes=0-")?.[1] ?? 0);
    if (first >= text.length) {
      void reply.header("content-range", `bytes */${text.length}`);
      throw new Refusal(416, "no-such-part", `the manifest has ${text.length} bytes`);
    }
    const asked = performance.now();
    const place = await turns.admit(`${deployment}/${version}`, peer, deadline - asked, gone);
    if (place === undefined) {
      throw new Refusal(503, "busy", "others fetch this manifest now: ask another holder, or again in a moment");
    }
    // It may have been admitted in the moment in which it went away.
    if (gone.aborted) {
      place.end();
      throw new Refusal(503, "busy", "the caller went away");
    }
    const end = Math.min(text.length, first + MAX_MANIFEST_PART_BYTES);
    reply.raw.once("close", () => {
      const { socket } = request.raw;
      if (reply.statusCode === 206 && reply.raw.writableFinished && !socket.destroyed) place.given(socket);
      else place.end();
    });
    // While it waited its lease may have ended.
    if (waited || performance.now() - asked > longestTrusted) {
      mustHold(await authorization.authorize(request, "manage", ["peer"]));
    }
    return await reply
      .code(206)
      .header("content-range", `bytes ${first}-${end - 1}/${text.length}`)
      .type("application/octet-stream")
      .send(text.subarray(first, end));
  });
  server.get<{ Params: VersionParams }>(`${path}/:version/stamps`, async (request) => {
    const { caller, deployment } = mustHold(await authorization.authorize(request, "manage", ["peer"]));
    const { version } = request.params;
    // Who asks for them has all of the text.
    if (caller.kind === "peer") turns.done(`${deployment}/${version}`, caller.datacenter);
    return heldOf(options, deployment, version).stamps;
  });
}

/** @throws {Refusal} */
function heldOf({ store }: AgentApiOptions, deployment: string, version: string): ManifestEnvelope {
  const envelope = store.get(deployment, version);
  if (envelope === undefined) throw new Refusal(404, "no-such-version", "this datacenter does not hold that version");
  return envelope;
}

/** Waits for manifests that peers ask for before they are here. */
class Arrivals {
  #waiting = 0;

  constructor(private readonly store: ManifestStore) {}

  /** Resolves once a version is here, or after `patience` milliseconds; to whether it took any time. */
  of(deployment: string, version: string, patience: number, gone: AbortSignal): Promise<boolean> {
    const { store } = this;
    if (store.has(deployment, version) || patience <= 0 || gone.aborted || this.#waiting >= mostWaiting) {
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      const end = (): void => {
        this.#waiting -= 1;
        clearTimeout(timer);
        unsubscribe();
        gone.removeEventListener("abort", end);
        resolve(true);
      };
      const unsubscribe = store.subscribe((changed) => {
        if (changed === deployment && store.has(deployment, version)) end();
      });
      const timer = setTimeout(end, patience);
      gone.addEventListener("abort", end, { once: true });
      this.#waiting += 1;
    });
  }
}

/** The parts of one text are parts of one buffer, however many fetch them. */
const texts = new WeakMap<ManifestEnvelope, Buffer>();

function bytesOf(envelope: ManifestEnvelope): Buffer {
  const known = texts.get(envelope) ?? Buffer.from(envelope.manifest, "utf8");
  texts.set(envelope, known);
  return known;
}
