import { costPerMonth, formatRate, formatRatePerBlock, formatTokens, type Manifest } from "@dcx/protocol";
import type { NetworkParameters } from "../../network/driver";
import type { ActualDeployment, ActualInfrastructure } from "../../network/snapshot";
import type { Value, ValueMap } from "../../wire/value";

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

/** Where a connection is reached by its source, as far as the manifest alone tells; global ones only a holder knows. */
export function innerAddress(manifest: Manifest, name: string): string | undefined {
  const connection = manifest.connections[name];
  return connection === undefined || connection.from.global === true
    ? undefined
    : `${connection.to}:${connection.port}`;
}
