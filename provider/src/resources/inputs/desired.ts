import { parseCpu, parseRate, parseSize, parseTokens } from "@dcx/protocol";
import { z } from "zod";
import type { NetworkParameters } from "../../network/driver";
import type { Manager, ResourceGroup, Terms } from "../../network/snapshot";
import type { Value, ValueMap } from "../../wire/value";
import { waitBlocks } from "./quantities";
import { withoutMarks } from "./shape";

/** From normal inputs without unknowns to what a plan is made from. */

const Gpu = z.object({ count: z.number(), vendor: z.string().default(""), model: z.string().default("") });
const Group = z.object({
  cpu: z.string(),
  memory: z.string(),
  disk: z.string(),
  gpu: Gpu.optional(),
  count: z.number().default(1),
  maxPrice: z.string(),
  collateral: z.string().default("0"),
});
const Infrastructure = z.object({
  region: z.string().default(""),
  attributes: z.record(z.string(), z.string()).default({}),
  allowedDatacenters: z.array(z.string()).default([]),
  deniedDatacenters: z.array(z.string()).default([]),
  persist: z.boolean().default(false),
  resources: z.array(Group),
});
const ManagerInput = z.object({
  address: z.string(),
  maxPrice: z.string().optional(),
  maxCount: z.number().default(0),
  regions: z.array(z.string()).default([]),
  datacenters: z.array(z.string()).default([]),
  mayChangeVersion: z.boolean().default(false),
  endHeight: z.number().default(0),
});

/** Blocks that an order waits where the program does not say. */
const DEFAULT_WAIT = "3";

export function desiredTerms(infrastructure: Value, parameters: NetworkParameters): Terms {
  const input = Infrastructure.parse(withoutMarks(infrastructure));
  return {
    ...input,
    resources: input.resources.map(
      (group): ResourceGroup => ({
        cpu: parseCpu(group.cpu),
        memory: parseSize(group.memory),
        disk: parseSize(group.disk),
        gpu: group.gpu,
        count: group.count,
        price: parseRate(group.maxPrice, parameters.blockInterval),
        collateral: parseTokens(group.collateral),
      }),
    ),
  };
}

export function desiredInfrastructures(inputs: ValueMap, parameters: NetworkParameters): Record<string, Terms> {
  const infrastructures = z.record(z.string(), z.unknown()).parse(withoutMarks(inputs["infrastructures"] ?? {}));
  return Object.fromEntries(
    Object.keys(infrastructures).map((name) => [
      name,
      desiredTerms(entryOf(inputs["infrastructures"], name), parameters),
    ]),
  );
}

export function desiredWait(inputs: ValueMap, parameters: NetworkParameters): bigint {
  const wait = withoutMarks(inputs["waitDuration"] ?? DEFAULT_WAIT);
  return waitBlocks(z.string().parse(wait), parameters.blockInterval);
}

export function desiredManagers(inputs: ValueMap, parameters: NetworkParameters): readonly Manager[] | undefined {
  if (inputs["managers"] === undefined) {
    return undefined;
  }
  return z
    .array(ManagerInput)
    .parse(withoutMarks(inputs["managers"]))
    .map(({ maxPrice, endHeight, ...rest }) => ({
      ...rest,
      maxRate: maxPrice === undefined ? undefined : parseRate(maxPrice, parameters.blockInterval),
      endHeight: BigInt(endHeight),
    }));
}

/** A map of texts, without marks. */
export function plainTexts(value: Value | undefined): Record<string, string> {
  return value === undefined ? {} : z.record(z.string(), z.string()).parse(withoutMarks(value));
}

function entryOf(map: Value | undefined, name: string): Value {
  const plain = map === undefined ? {} : withoutMarks(map);
  const entries = z.record(z.string(), z.custom<Value>()).parse(plain);
  return entries[name] ?? {};
}
