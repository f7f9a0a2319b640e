import { parseCpu, parseRate, parseSize, parseTokens } from "@dcx/protocol";
import { z } from "zod";
import type { NetworkParameters } from "../../network/driver";
import type { Manager, ResourceGroup, Terms } from "../../network/snapshot";
import type { Value, ValueMap } from "../../wire/value";
import { waitBlocks } from "./quantities";
import { withoutMarks } from "./shape";

/** From normal inputs without unknowns to what a plan is made from. */

// Each is made once: making one takes longer than parsing what a resource says.
const Text = z.string();
const Texts = z.record(z.string(), z.string());
const Entries = z.record(z.string(), z.custom<Value>());
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
  attributes: Texts.default({}),
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

const Managers = z.array(ManagerInput);

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
  const infrastructures = Entries.parse(withoutMarks(inputs["infrastructures"] ?? {}));
  return Object.fromEntries(
    Object.entries(infrastructures).map(([name, one]) => [name, desiredTerms(one, parameters)]),
  );
}

export function desiredWait(inputs: ValueMap, parameters: NetworkParameters): bigint {
  const wait = withoutMarks(inputs["waitDuration"] ?? DEFAULT_WAIT);
  return waitBlocks(Text.parse(wait), parameters.blockInterval);
}

export function desiredManagers(inputs: ValueMap, parameters: NetworkParameters): readonly Manager[] | undefined {
  if (inputs["managers"] === undefined) {
    return undefined;
  }
  return Managers.parse(withoutMarks(inputs["managers"])).map(({ maxPrice, endHeight, ...rest }) => ({
    ...rest,
    maxRate: maxPrice === undefined ? undefined : parseRate(maxPrice, parameters.blockInterval),
    endHeight: BigInt(endHeight),
  }));
}

/** A map of texts, without marks. */
export function plainTexts(value: Value | undefined): Record<string, string> {
  return value === undefined ? {} : Texts.parse(withoutMarks(value));
}
