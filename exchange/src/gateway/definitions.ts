import {
  createFileRegistry,
  type DescExtension,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  getOption,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import { descriptorSet } from "../generated/descriptors";

/** Every definition that crosses a wire: dcx's own and those of the Cosmos SDK that it answers. */
export const definitions: FileRegistry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, Buffer.from(descriptorSet, "base64")),
);

/** @throws when the definitions have no such extension */
export function extension(name: string): DescExtension {
  const found = definitions.getExtension(name);
  if (found === undefined) throw new Error(`the definitions have no extension ${name}: run npm run generate`);
  return found;
}

/** The gRPC path of a method. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Every method of every service, all of which are unary. */
export const methods: readonly DescMethod[] = [...definitions].flatMap((one) =>
  one.kind === "service" ? one.methods : [],
);

/** How REST calls a method: `google.api.http`. */
export interface HttpRule {
  readonly verb: "GET" | "POST";
  readonly template: string;
}

const ruleSchema = z.object({
  pattern: z.object({ case: z.string().optional(), value: z.unknown() }),
  additionalBindings: z
    .array(z.object({ pattern: z.object({ case: z.string().optional(), value: z.unknown() }) }))
    .default([]),
});
const http = extension("google.api.http");

export function httpRulesOf(method: DescMethod): readonly HttpRule[] {
  if (method.proto.options === undefined) return [];
  const rule = ruleSchema.parse(getOption(method, http));
  return [rule, ...rule.additionalBindings].flatMap(({ pattern }): HttpRule[] => {
    if (typeof pattern.value !== "string") return [];
    if (pattern.case === "get") return [{ verb: "GET", template: pattern.value }];
    return pattern.case === "post" ? [{ verb: "POST", template: pattern.value }] : [];
  });
}
