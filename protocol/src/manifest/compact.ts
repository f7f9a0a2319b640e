import type { z } from "zod";
import { HEALTH_CHECK_DEFAULTS } from "./rules";
import type { EntrySchemas } from "./schema";
import type {
  ManifestCompute,
  ManifestConnection,
  ManifestContainer,
  ManifestEgress,
  ManifestHealthCheck,
  ManifestWorkload,
} from "./types";

type WorkloadParts = z.output<EntrySchemas["workload"]>;
type ConnectionParts = z.output<EntrySchemas["connection"]>;

/** Leaves out what is absent, empty or default, so that one meaning has one form. */
export function compactWorkload(parts: WorkloadParts): ManifestWorkload {
  const { infrastructure, container, group } = parts;
  const command = nonEmpty(parts.command);
  const words = nonEmpty(parts.arguments);
  const environment = nonEmptyMap(parts.environment);
  const ports = nonEmpty(parts.ports);
  const healthCheck = parts.healthCheck && compactHealthCheck(parts.healthCheck, ports?.[0]);
  const volumes = nonEmptyMap(parts.volumes);
  const compute = nonEmptyMap(parts.compute && compactCompute(parts.compute));
  const count = unlessDefault(parts.count, 1);
  const egress = nonEmpty(parts.egress?.map(compactEgress));
  return {
    infrastructure,
    container: compactContainer(container),
    ...(command && { command }),
    ...(words && { arguments: words }),
    ...(environment && { environment }),
    ...(ports && { ports }),
    ...(healthCheck && { healthCheck }),
    ...(volumes && { volumes }),
    ...(compute && { compute }),
    ...(group !== undefined && { group }),
    ...(count !== undefined && { count }),
    ...(egress && { egress }),
  };
}

export function compactConnection(parts: ConnectionParts): ManifestConnection {
  const { to, port, from } = parts;
  const hosts = nonEmpty(from.hosts);
  return {
    to,
    port,
    from: {
      ...(from.workload !== undefined && { workload: from.workload }),
      ...(from.infrastructure !== undefined && { infrastructure: from.infrastructure }),
      ...(from.global && { global: from.global }),
      ...(hosts && { hosts }),
    },
  };
}

function compactContainer({ image, credentials }: WorkloadParts["container"]): ManifestContainer {
  return { image, ...(credentials && { credentials }) };
}

function compactHealthCheck(
  parts: NonNullable<WorkloadParts["healthCheck"]>,
  firstPort: number | undefined,
): ManifestHealthCheck {
  const port = unlessDefault(parts.port, firstPort);
  const interval = unlessDefault(parts.interval, HEALTH_CHECK_DEFAULTS.interval);
  const timeout = unlessDefault(parts.timeout, HEALTH_CHECK_DEFAULTS.timeout);
  const retries = unlessDefault(parts.retries, HEALTH_CHECK_DEFAULTS.retries);
  return {
    ...(parts.http !== undefined && { http: parts.http }),
    ...(parts.tcp && { tcp: parts.tcp }),
    ...(parts.command && { command: parts.command }),
    ...(port !== undefined && { port }),
    ...(interval !== undefined && { interval }),
    ...(timeout !== undefined && { timeout }),
    ...(retries !== undefined && { retries }),
  };
}

function compactCompute({ cpu, memory, disk, gpu }: NonNullable<WorkloadParts["compute"]>): ManifestCompute {
  return {
    ...(cpu !== undefined && { cpu }),
    ...(memory !== undefined && { memory }),
    ...(disk !== undefined && { disk }),
    ...(gpu && {
      gpu: {
        count: gpu.count,
        ...(gpu.vendor !== undefined && { vendor: gpu.vendor }),
        ...(gpu.model !== undefined && { model: gpu.model }),
      },
    }),
  };
}

function compactEgress(parts: NonNullable<WorkloadParts["egress"]>[number]): ManifestEgress {
  const addresses = nonEmpty(parts.addresses);
  const ports = nonEmpty(parts.ports);
  return { to: parts.to, ...(addresses && { addresses }), ...(ports && { ports }) };
}

function nonEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function nonEmptyMap<T extends object>(map: T | undefined): T | undefined {
  return map === undefined || Object.keys(map).length === 0 ? undefined : map;
}

function unlessDefault<T>(value: T | undefined, standard: T): T | undefined {
  return value === standard ? undefined : value;
}
