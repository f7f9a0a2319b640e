import { resourceIdText } from "@dcx/protocol";
import { z } from "zod";
import { NetworkError } from "../../network/driver";
import { withoutMarks } from "../inputs/shape";
import type { CallContext, ListPage, ListRequest } from "../resource";
import type { Session } from "../session";

const Query = z.strictObject({ tenant: z.string({ error: "must be the address of an account" }).optional() });

/** Active deployments of a tenant: one's own, or those of an account whose deployments one manages. */
export async function listDeployments(
  session: Session,
  { query, after, size }: ListRequest,
  { signal }: CallContext,
): Promise<ListPage> {
  const { tenant } = parseQuery(Query, query);
  const identity = await session.identify(signal);
  if (identity === undefined) {
    // An embedded network that is stopped, or not there yet: asked for anything of it, the driver says which.
    await session.driver.parameters(signal);
    return { found: [], next: undefined };
  }
  const { found, next } = await session.driver.listDeployments(tenant ?? identity.tenant, { after, size }, signal);
  return { found: found.map((one) => ({ id: resourceIdText({ chain: identity.chain, ...one }), name: "" })), next };
}

/** @throws {NetworkError} naming what is wrong */
export function parseQuery<Query>(shape: z.ZodType<Query>, query: ListRequest["query"]): Query {
  const parsed = shape.safeParse(withoutMarks(query));
  if (!parsed.success) {
    throw new NetworkError(
      "invalid",
      parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
    );
  }
  return parsed.data;
}
