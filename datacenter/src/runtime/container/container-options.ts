import type Docker from "dockerode";
import { processorTime } from "../processor-time";
import type { InstanceSpecification } from "../runtime";
import type { EngineImage } from "./engine-images";

const temporaryFolders = ["/tmp", "/run", "/var/tmp"];
// What many images need of "root": the engines' own list without raw sockets and devices.
const capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "NET_BIND_SERVICE"];

/** A volume as the engine can mount it. */
export interface ProvidedVolume {
  readonly type: "bind" | "volume";
  readonly source: string;
  readonly path: string;
}

/** What an engine is told of an instance: its command, its limits, and what it may not. */
export function containerOptions(
  specification: InstanceSpecification,
  image: EngineImage,
  provided: readonly ProvidedVolume[],
  {
    name,
    marks,
    restarts,
  }: {
    readonly name: string;
    readonly marks: Readonly<Record<string, string>>;
    /** Whether the engine is to start again what ends. */
    readonly restarts: boolean;
  },
): Docker.ContainerCreateOptions {
  const { limits, volumes } = specification;
  const processor = processorTime(limits.cpu);
  const temporary = `rw,nosuid,nodev,mode=1777,size=${limits.disk}`;
  const taken = new Set([...temporaryFolders, ...volumes.map(({ path }) => path)]);
  return {
    name,
    Image: image.name,
    Hostname: `${specification.labels.workload}-${specification.labels.index}`.slice(0, 63),
    ...(specification.command === undefined ? {} : { Entrypoint: [...specification.command] }),
    ...(specification.arguments === undefined
      ? // With another entry point the image's own arguments mean nothing.
        specification.command === undefined
        ? {}
        : { Cmd: [] }
      : { Cmd: [...specification.arguments] }),
    Env: Object.entries(specification.environment).map(([name, value]) => `${name}=${value}`),
    Labels: {
      ...marks,
      "dcx.id": specification.id,
      "dcx.digest": specification.digest,
      "dcx.labels": JSON.stringify(specification.labels),
      "dcx.image-digest": image.digest,
    },
    HostConfig: {
      NetworkMode: "none",
      RestartPolicy: { Name: restarts ? "always" : "no" },
      Memory: Number(limits.memory),
      MemorySwap: Number(limits.memory),
      CpuPeriod: processor.period,
      CpuQuota: processor.quota,
      CpuShares: processor.shares,
      PidsLimit: limits.processes,
      ReadonlyRootfs: true,
      Tmpfs: Object.fromEntries(temporaryFolders.map((folder) => [folder, temporary])),
      Mounts: [
        ...provided.map(({ type, source, path }) => ({ Type: type, Source: source, Target: path })),
        // Else the engine makes a volume without a bound of each.
        ...image.volumes
          .filter((folder) => !taken.has(folder))
          .map((folder) => ({
            Type: "tmpfs" as const,
            Source: "",
            Target: folder,
            TmpfsOptions: { SizeBytes: Number(limits.disk), Mode: 0o1777 },
          })),
      ],
      CapDrop: ["ALL"],
      // Podman would give them to a user who is not root, too.
      CapAdd: /^(0|root)?(:|$)/.test(image.user) ? capabilities : [],
      SecurityOpt: ["no-new-privileges"],
      ExtraHosts: Object.entries(specification.hosts).map(([name, address]) => `${name}:${address}`),
      LogConfig: { Type: "json-file", Config: { "max-size": "4m", "max-file": "2" } },
    },
  };
}
