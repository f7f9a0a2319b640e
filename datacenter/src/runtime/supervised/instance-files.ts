import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readJson } from "../../home/json-file";
import type { Seal } from "../../home/seal";
import { InstanceLabels } from "../labels";
import { isRunning, ProcessMark } from "../processes";
import type { ObservedState } from "../runtime";
import type { Launch } from "./supervisor";

/** What a supervisor writes. */
const State = z.object({
  phase: z.enum(["starting", "running", "exited", "stopped"]),
  restarts: z.number().int(),
  startedAt: z.string().optional(),
  run: z.string().optional(),
  exitCode: z.number().int().optional(),
  message: z.string().optional(),
  supervisor: ProcessMark.optional(),
  holder: ProcessMark.optional(),
  process: ProcessMark.optional(),
});
export type State = z.infer<typeof State>;

const Instance = z.object({ id: z.string(), labels: InstanceLabels, digest: z.string(), imageDigest: z.string() });
export type Instance = z.infer<typeof Instance>;

/** What of a launch is the tenant's own words. It lies sealed on disk; the supervisor keeps it in memory. */
const Secrets = z.object({
  arguments: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  input: z.string().optional(),
});
export type Secrets = z.infer<typeof Secrets>;

const ControlGroups = z.object({
  controlGroups: z.array(z.object({ folder: z.string(), settings: z.array(z.tuple([z.string(), z.string()])) })),
});

/** A name for the disk: ids hold slashes and may be long. */
export function fileName(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 32);
}

/** Writes all that an instance is started from. From then on it is one: `instance.json` is what makes it that. */
export async function writeInstance(folder: string, instance: Instance, launch: Launch, seal: Seal): Promise<void> {
  const { arguments: words, environment, input, ...open } = launch;
  const secrets: Secrets = { arguments: [...words], environment, ...(input === undefined ? {} : { input }) };
  await writeFile(join(folder, "launch.json"), JSON.stringify(open), { mode: 0o600 });
  await writeFile(join(folder, "secrets"), seal.close(sealedAs(instance.id), Buffer.from(JSON.stringify(secrets))), {
    mode: 0o600,
  });
  await writeFile(join(folder, ".instance.json"), JSON.stringify(instance), { mode: 0o600 });
  await rename(join(folder, ".instance.json"), join(folder, "instance.json"));
}

/** Undefined: there is no instance in this folder. */
export async function readInstance(folder: string): Promise<Instance | undefined> {
  return Instance.optional().parse(await readJson(join(folder, "instance.json")));
}

/** Undefined: its supervisor has written none yet. */
export async function readState(folder: string): Promise<State | undefined> {
  return State.optional().parse(await readJson(join(folder, "state.json")));
}

/** @throws where they are not there, or were sealed with another key */
export async function readSecrets(folder: string, id: string, seal: Seal): Promise<Secrets> {
  const sealed = await readFile(join(folder, "secrets"));
  return Secrets.parse(JSON.parse(seal.open(sealedAs(id), sealed).toString("utf8")));
}

export async function readControlGroups(folder: string): Promise<Launch["controlGroups"]> {
  const launch = ControlGroups.safeParse(await readJson(join(folder, "launch.json")));
  return launch.success ? launch.data.controlGroups : [];
}

export function observedState(state: State | undefined): ObservedState {
  if (state?.supervisor === undefined || !isRunning(state.supervisor)) {
    return { phase: "failed", message: "its supervisor is gone; both are started again" };
  }
  switch (state.phase) {
    case "running":
      return { phase: "running", startedAt: state.startedAt ?? "", restarts: state.restarts };
    case "exited":
      return {
        phase: "exited",
        exitCode: state.exitCode ?? 0,
        message: state.message ?? "",
        restarts: state.restarts,
      };
    case "starting":
    case "stopped":
      return { phase: "pulling", message: state.phase };
  }
}

function sealedAs(id: string): string {
  return `instance ${id}`;
}
