import { ModelNetwork } from "../network/model/model-network";
import type { ActualDeployment } from "../network/snapshot";

/** Engine parallelisms at which the design's promises are shown. */
export const parallelisms = [1, 4, 16] as const;

/** A network with a datacenter in each of two regions. */
export function twoRegions(): ModelNetwork {
  const network = new ModelNetwork();
  network.addDatacenter("sierra", "us-west");
  network.addDatacenter("tide", "us-east");
  return network;
}

/** The deployments that are there and paid for. */
export function activeDeployments(network: ModelNetwork): readonly ActualDeployment[] {
  return [...network.deployments.values()].filter(({ active }) => active);
}

/** The one that there is; throws where there is another number of them. */
export function theDeployment(network: ModelNetwork): ActualDeployment {
  const active = activeDeployments(network);
  const [one] = active;
  if (one === undefined || active.length > 1) {
    throw new Error(`There are ${active.length} deployments.`);
  }
  return one;
}

/** Kinds of the transactions that are in blocks. */
export function kinds(network: ModelNetwork): readonly string[] {
  return network.transactions.map(({ kind }) => kind);
}
