import type { z } from "zod";
import type { Authorized } from "./authorization";
import { Refusal } from "./refusal";

/** @throws {Refusal} where this datacenter has no active lease of the deployment */
export function mustHold(authorized: Authorized): Authorized {
  if (authorized.held) return authorized;
  throw new Refusal(403, "no-lease", `this datacenter has no active lease of deployment ${authorized.deployment}`);
}

/** @throws {Refusal} that says where it is wrong and how, never what was sent: that may be secret */
export function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || what}: ${message}`);
  throw new Refusal(400, "malformed", `${what} can't be understood: ${problems.join("; ")}`);
}
