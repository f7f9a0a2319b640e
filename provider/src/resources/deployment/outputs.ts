import { costPerMonth, formatRate, formatRatePerBlock, formatTokens, type Manifest } from "@dcx/protocol";
import type { NetworkParameters } from "../../network/driver";
import type { ActualDeployment, ActualInfrastructure } from "../../network/snapshot";
import { Unknown, type Value, type ValueMap } from "../../wire/value";
import { isMap } from "../inputs/shape";

/** Outputs hold no height, balance or amount paid: they would differ at each look though nothing changed. */
export function deploymentOutputs(
  id: string,
  actual: ActualDeployment,
  parameters: NetworkParameters,
): Record<string, Value> {
  return {
    deploymentId: id,
    incarnation: String(actual.incarnation),
    leases: Object.fromEntries(
      Object.entries(actual.infrastructures).map(([name, one]) => [name, leaseOutput(one, parameters)]),
    ),
  };
}

function leaseOutput(infrastructure: ActualInfrastructure, parameters: NetworkParameters): ValueMap {
  const { lease } = infrastructure;
  return {
    datacenter: lease?.datacenter ?? "",
    rate: lease === undefined ? "" : formatRate(lease.rate, parameters.blockInterval),
    costPerBlock: lease === undefined ? "" : formatRatePerBlock(lease.rate),
    costPerMonth: lease === undefined ? "" : formatTokens(costPerMonth(lease.rate, parameters.blockInterval)),
    state: leaseState(infrastructure),
  };
}

function leaseState({ lease, order, successor }: ActualInfrastructure): string {
  if (lease !== undefined) {
    return order === undefined && successor === undefined ? "active" : "replacing";
  }
  return order === undefined ? "none" : "ordered";
}

/** Where its connections are reached. Those that have no port beside a host name are not in `rawAddresses`. */
export interface Places {
  readonly addresses: ValueMap;
  readonly rawAddresses: ValueMap;
}

export const noPlaces: Places = { addresses: {}, rawAddresses: {} };

export function placesOutputs({ addresses, rawAddresses }: Places): ValueMap {
  return { addresses, ...(Object.keys(rawAddresses).length === 0 ? {} : { rawAddresses }) };
}

/**
 * The addresses as far as a preview can tell. What a connection's source connects to follows from the manifest; where a
 * global one is reached only its holder knows, and that stays while neither its target nor the lease changes. Own host
 * names lead there besides.
 * @param moving infrastructures whose lease may change
 */
export function foretoldPlaces(
  before: Manifest | undefined,
  after: Manifest,
  known: ValueMap,
  moving: ReadonlySet<string>,
): ValueMap {
  const [old, oldRaw] = [known["addresses"], known["rawAddresses"]].map((one) =>
    one !== undefined && isMap(one) ? one : {},
  );
  const addresses: Record<string, Value> = {};
  const rawAddresses: Record<string, Value> = {};
  // Whether one that is new has a port beside its host name only its holder knows.
  let told = true;
  for (const [name, connection] of Object.entries(after.connections)) {
    const was = before !== undefined && Object.hasOwn(before.connections, name) ? before.connections[name] : undefined;
    const place = after.workloads[connection.to]?.infrastructure;
    const stays =
      was?.from.global === true &&
      was.to === connection.to &&
      was.port === connection.port &&
      before?.workloads[was.to]?.infrastructure === place &&
      !moving.has(place ?? "");
    const address = stays ? old?.[name] : undefined;
    if (connection.from.global !== true) {
      addresses[name] = `${connection.to}:${connection.port}`;
    } else if (address === undefined) {
      addresses[name] = Unknown.instance;
      told = false;
    } else {
      addresses[name] = address;
      const raw = oldRaw?.[name];
      if (raw !== undefined) {
        rawAddresses[name] = raw;
      }
    }
  }
  return told ? placesOutputs({ addresses, rawAddresses }) : { addresses, rawAddresses: Unknown.instance };
}
