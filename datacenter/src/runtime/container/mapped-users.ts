import { chownSync, statSync } from "node:fs";
import type Docker from "dockerode";
import { z } from "zod";

const Info = z.object({ SecurityOptions: z.array(z.string()).nullish(), DockerRootDir: z.string().nullish() });

/**
 * The machine's user that root in this engine's containers is, where the engine maps users (`userns-remap` of Docker's
 * daemon): others follow upwards. Undefined: it maps none. Docker tells by the name of its folder alone.
 */
export async function mappedRoot(engine: Docker): Promise<number | undefined> {
  const { SecurityOptions, DockerRootDir } = Info.parse(await engine.info());
  if (!(SecurityOptions ?? []).some((option) => option.startsWith("name=userns"))) return undefined;
  const [, user] = /\/(\d+)\.\d+$/.exec(DockerRootDir ?? "") ?? [];
  return user === undefined ? undefined : Number(user);
}

/** A new volume is root's; a workload that runs as somebody else (by number) could not write to it. */
export function giveTo(folder: string, user: string, rootUser: number): void {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(user) ?? [];
  if (uid !== undefined && statSync(folder).uid === rootUser) {
    chownSync(folder, rootUser + Number(uid), rootUser + Number(gid ?? 0));
  }
}
