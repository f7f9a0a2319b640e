import type { Manifest } from "@dcx/protocol";
import type { ActualDeployment } from "../../network/snapshot";
import { connectionPlaces } from "../../plan/manifest";
import type { Value, ValueMap } from "../../wire/value";
import { isMap } from "../inputs/shape";
import type { Session } from "../session";

/**
 * Where each connection is reached. Of a global one its datacenter says so; while that does not answer, what is recorded
 * holds as long as the lease is where it was.
 */
export async function readAddresses(
  session: Session,
  actual: ActualDeployment,
  manifest: Manifest,
  state: ValueMap | undefined,
  signal: AbortSignal,
): Promise<ValueMap> {
  const key = { tenant: actual.tenant, sequence: actual.sequence };
  const addresses: Record<string, Value> = {};
  await Promise.all(
    Object.entries(manifest.connections).map(async ([name, { to, port, from }]) => {
      if (from.global !== true) {
        addresses[name] = `${to}:${port}`;
        return;
      }
      const [place = ""] = connectionPlaces(manifest, name);
      const infrastructure = actual.infrastructures[place];
      const holder = (infrastructure?.lease ?? infrastructure?.successor)?.datacenter;
      const recorded = at(state, "addresses", name);
      const moved =
        recorded === undefined || (holder !== undefined && at(state, "leases", place, "datacenter") !== holder);
      const status = holder === undefined ? undefined : await session.glance(key, holder, signal);
      const address = status?.connections[name]?.address ?? (moved ? undefined : recorded);
      if (address !== undefined) {
        addresses[name] = address;
      }
    }),
  );
  return Object.fromEntries(Object.entries(addresses).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function at(map: ValueMap | undefined, ...path: readonly string[]): Value | undefined {
  return path.reduce<Value | undefined>((value, key) => (isMap(value) ? value[key] : undefined), map);
}
