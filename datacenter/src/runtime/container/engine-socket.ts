import { existsSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";

const answerPatience = 5_000;

/**
 * The container engine that answers: at the given socket, else at DOCKER_HOST, else in the usual places of Docker and
 * Podman. Throws naming where it looked.
 */
export async function findEngine(socket: string | undefined): Promise<{ engine: Docker; at: string }> {
  const runtimeFolder = process.env["XDG_RUNTIME_DIR"];
  const fromEnvironment = process.env["DOCKER_HOST"];
  const places =
    socket !== undefined
      ? [socket]
      : fromEnvironment
        ? [fromEnvironment]
        : [
            "/var/run/docker.sock",
            "/run/podman/podman.sock",
            ...(runtimeFolder
              ? [join(runtimeFolder, "docker.sock"), join(runtimeFolder, "podman", "podman.sock")]
              : []),
          ];
  const reasons: string[] = [];
  for (const place of places) {
    const path = place.replace(/^unix:\/\//, "");
    if (!path.startsWith("/")) {
      reasons.push(`${place} is not a socket on this machine, and instances have to run here`);
      continue;
    }
    if (!existsSync(path)) {
      reasons.push(`${path} does not exist`);
      continue;
    }
    try {
      await new Docker({ socketPath: path, timeout: answerPatience }).ping();
      return { engine: new Docker({ socketPath: path }), at: path };
    } catch (error) {
      reasons.push(`${path} does not answer: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(`no container engine was found (${reasons.join("; ")})`);
}
