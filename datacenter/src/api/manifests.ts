import type { Server } from "node:https";
import { MAX_MANIFEST_PART_BYTES, type ManifestEnvelope, ManifestUpload, parseManifest } from "@dcx/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { Turns } from "../manifest/turns";
import type { Authorized } from "./authorization";
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
  const { authorization } = options;
  const turns = new Turns();
  server.get<{ Params: VersionParams }>(`${path}/:version/text`, async (request, reply) => {
    const { caller, deployment } = mustHold(await authorization.authorize(request, "manage", ["peer"]));
    const peer = caller.kind === "peer" ? caller.datacenter : "";
    const { version } = request.params;
    const text = bytesOf(heldOf(options, deployment, version));
    const first = Number(openRange.exec(request.headers.range ?? "bytes=0-")?.[1] ?? 0);
    if (first >= text.length) {
      void reply.header("content-range", `bytes */${text.length}`);
      throw new Refusal(416, "no-such-part", `the manifest has ${text.length} bytes`);
    }
    const what = `${deployment}/${version}`;
    if (!turns.admit(what, peer, performance.now())) {
      throw new Refusal(503, "busy", "others fetch this manifest now: ask another holder, or again in a moment");
    }
    const end = Math.min(text.length, first + MAX_MANIFEST_PART_BYTES);
    reply.raw.once("close", () => turns.gave(what, peer, end === text.length, performance.now()));
    return await reply
      .code(206)
      .header("content-range", `bytes ${first}-${end - 1}/${text.length}`)
      .type("application/octet-stream")
      .send(text.subarray(first, end));
  });
  server.get<{ Params: VersionParams }>(`${path}/:version/stamps`, async (request) => {
    const { deployment } = mustHold(await authorization.authorize(request, "manage", ["peer"]));
    return heldOf(options, deployment, request.params.version).stamps;
  });
}

/** @throws {Refusal} */
function heldOf({ store }: AgentApiOptions, deployment: string, version: string): ManifestEnvelope {
  const envelope = store.get(deployment, version);
  if (envelope === undefined) throw new Refusal(404, "no-such-version", "this datacenter does not hold that version");
  return envelope;
}

/** The parts of one text are parts of one buffer, however many fetch them. */
const texts = new WeakMap<ManifestEnvelope, Buffer>();

function bytesOf(envelope: ManifestEnvelope): Buffer {
  const known = texts.get(envelope) ?? Buffer.from(envelope.manifest, "utf8");
  texts.set(envelope, known);
  return known;
}
