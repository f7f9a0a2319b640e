import type { Manifest } from "@dcx/protocol";
import type { ActualDeployment } from "../../network/snapshot";
import { connectionPlaces } from "../../plan/manifest";
import type { Value, ValueMap } from "../../wire/value";
import { isMap } from "../inputs/shape";
import type { Session } from "../session";
import type { Places } from "./outputs";

/**
 * Where each connection is reached. Of a global one its datacenter says so; while that does not answer, what is recorded
 * holds as long as the lease is where it was.
 */
export async function readPlaces(
  session: Session,
  actual: ActualDeployment,
  manifest: Manifest,
  state: ValueMap | undefined,
  signal: AbortSignal,
): Promise<Places> {
  const key = { tenant: actual.tenant, sequence: actual.sequence };
  const addresses: Record<string, Value> = {};
  const rawAddresses: Record<string, Value> = {};
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
      const told = status?.connections[name];
      const address = told?.address ?? (moved ? undefined : recorded);
      if (address !== undefined) {
        addresses[name] = address;
      }
      // What belongs to the address that is told belongs to it alone.
      const raw = told?.address === undefined ? (moved ? undefined : at(state, "rawAddresses", name)) : told.rawAddress;
      if (raw !== undefined) {
        rawAddresses[name] = raw;
      }
    }),
  );
  return { addresses: sorted(addresses), rawAddresses: sorted(rawAddresses) };
}

function sorted(map: ValueMap): ValueMap {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function at(map: ValueMap | undefined, ...path: readonly string[]): Value | undefined {
  return path.reduce<Value | undefined>((value, key) => (isMap(value) ? value[key] : undefined), map);
}
