import type { ValueMap } from "../../wire/value";
import { connectionShape, gpu, workloadShape } from "./manifest-shapes";
import { entryName, normalAmount, normalCpu, normalPrice, normalSize, normalWait } from "./quantities";
import { anyText, type Field, flag, integer, list, map, object, quantity, type Shape, set } from "./shape";

export const resourceGroupFields: Readonly<Record<string, Field>> = {
  cpu: { shape: quantity(normalCpu), required: true },
  memory: { shape: quantity(normalSize), required: true },
  disk: { shape: quantity(normalSize), required: true },
  gpu: { shape: gpu },
  count: { shape: integer({ least: 1, most: 1_000_000 }), absent: 1 },
  maxPrice: { shape: quantity(normalPrice), required: true },
  collateral: { shape: quantity(normalAmount), absent: "0" },
};

const resourceGroup: Shape = object(resourceGroupFields);

export const infrastructureFields: Readonly<Record<string, Field>> = {
  region: { shape: anyText, absent: "" },
  attributes: { shape: map(anyText, () => {}), absent: {} },
  allowedDatacenters: { shape: set(anyText) },
  deniedDatacenters: { shape: set(anyText) },
  persist: { shape: flag, absent: false },
  resources: { shape: list(resourceGroup), required: true },
};

const infrastructure: Shape = object(infrastructureFields, (value: ValueMap) =>
  Array.isArray(value["resources"]) && value["resources"].length === 0
    ? "resources must name at least one group"
    : undefined,
);

const manager: Shape = object({
  address: { shape: anyText, required: true },
  maxPrice: { shape: quantity(normalPrice) },
  maxCount: { shape: integer({ least: 1, most: 1_000_000_000 }) },
  regions: { shape: set(anyText) },
  datacenters: { shape: set(anyText) },
  mayChangeVersion: { shape: flag, absent: false },
  endHeight: { shape: integer({ least: 1, most: Number.MAX_SAFE_INTEGER }) },
});

export const deploymentFields: Readonly<Record<string, Field>> = {
  infrastructures: { shape: map(infrastructure, entryName), required: true },
  waitDuration: { shape: quantity(normalWait) },
  // Unset leaves entries alone, an empty map empties them: neither is the other's default.
  workloads: { shape: map(workloadShape, entryName) },
  connections: { shape: map(connectionShape, entryName) },
  managers: { shape: list(manager) },
  maxCostPerMonth: { shape: quantity(normalAmount) },
  skipAwait: { shape: flag, absent: false },
};
