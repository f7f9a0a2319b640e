import { formatCpu } from "../quantities/cpu";
import { formatDuration } from "../quantities/duration";
import { formatSize } from "../quantities/size";
import type { ManifestConnection, ManifestWorkload } from "./types";

/**
 * Prints a workload as a person would write it, for an import and for showing what is there: `normalizeWorkload` of
 * the result is the same workload again.
 */
export function humanWorkload(workload: ManifestWorkload): Readonly<Record<string, unknown>> {
  const { container, healthCheck, volumes, compute, ...rest } = workload;
  return {
    ...rest,
    container: container.credentials === undefined ? container.image : container,
    ...(healthCheck && {
      healthCheck: {
        ...healthCheck,
        ...(healthCheck.interval !== undefined && { interval: formatDuration(healthCheck.interval) }),
        ...(healthCheck.timeout !== undefined && { timeout: formatDuration(healthCheck.timeout) }),
      },
    }),
    ...(volumes && {
      volumes: Object.fromEntries(
        Object.entries(volumes).map(([name, { path, size }]) => [name, { path, size: formatSize(BigInt(size)) }]),
      ),
    }),
    ...(compute && {
      compute: {
        ...compute,
        ...(compute.cpu !== undefined && { cpu: formatCpu(compute.cpu) }),
        ...(compute.memory !== undefined && { memory: formatSize(BigInt(compute.memory)) }),
        ...(compute.disk !== undefined && { disk: formatSize(BigInt(compute.disk)) }),
      },
    }),
  };
}

/** As {@link humanWorkload}, for a connection: its two forms are the same. */
export function humanConnection({ to, port, from }: ManifestConnection): Readonly<Record<string, unknown>> {
  return { to, port, from: { ...from } };
}
