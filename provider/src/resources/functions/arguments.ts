import { Unknown, type Value, type ValueMap } from "../../wire/value";
import { containsUnknown, type Field, isList, isMap, normalizeFields, Problems } from "../inputs/shape";
import { type CallContext, InvalidArguments } from "../resource";
import type { Session } from "../session";

/** A function of the provider: what it is asked, in the form that its fields give it, and what it answers. */
export interface ProviderFunctionRules {
  /** e.g. `dcx:index:getQuote` */
  readonly token: string;
  readonly fields: Readonly<Record<string, Field>>;
  /** What is wrong with arguments that are each in order by themselves. */
  readonly whole?: (args: ValueMap) => string | undefined;
  answer(session: Session, args: ValueMap, context: CallContext): Promise<ValueMap>;
}

/**
 * Arguments in their normal form.
 * @throws {InvalidArguments} with everything that is wrong with them; also where one is not known yet: the engine calls
 *   no function in a preview before all its arguments are known, so whoever passes one has gone around it
 */
export function normalArguments({ token, fields, whole }: ProviderFunctionRules, args: ValueMap): ValueMap {
  const unknown = unknownPath(args);
  if (unknown !== undefined) {
    const name = nameOf(token);
    throw new InvalidArguments(token, [
      {
        property: "",
        reason: `${unknown}: is not known yet; call ${name}Output, which waits for it, or call it where it is known`,
      },
    ]);
  }
  const problems = new Problems();
  const normal = normalizeFields(args, fields, "", problems);
  const problem = problems.failures.length === 0 ? whole?.(normal) : undefined;
  if (problem !== undefined) {
    throw new InvalidArguments(token, [{ property: "", reason: problem }]);
  }
  if (problems.failures.length > 0) {
    throw new InvalidArguments(token, problems.failures);
  }
  return normal;
}

function nameOf(token: string): string {
  return token.split(":").at(-1) ?? token;
}

function unknownPath(value: Value, path = ""): string | undefined {
  if (value instanceof Unknown || !containsUnknown(value)) {
    return value instanceof Unknown ? path : undefined;
  }
  if (isList(value)) {
    return value.map((entry, index) => unknownPath(entry, `${path}[${index}]`)).find((found) => found !== undefined);
  }
  if (isMap(value)) {
    return Object.entries(value)
      .map(([key, entry]) => unknownPath(entry, path === "" ? key : `${path}.${key}`))
      .find((found) => found !== undefined);
  }
  return path;
}
