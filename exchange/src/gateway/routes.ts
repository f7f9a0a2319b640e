import type { DescMethod } from "@bufbuild/protobuf";
import { httpRulesOf, methods } from "./definitions";
import { invalidArgument } from "./status";

interface Route {
  readonly verb: string;
  readonly pattern: RegExp;
  /** Fields that the path's parts become, in order, such as `id.tenant`. */
  readonly fields: readonly string[];
  readonly method: DescMethod;
}

export interface RoutedCall {
  readonly method: DescMethod;
  /** Fields that the path named. */
  readonly fields: readonly (readonly [field: string, value: string])[];
}

/** Where nothing but a variable keeps two apart (`blocks/latest`, `blocks/{height}`), the one with fewer comes first. */
const routes: readonly Route[] = methods
  .flatMap((method) => httpRulesOf(method).map(({ verb, template }) => ({ verb, method, ...compile(template) })))
  .sort((a, b) => a.fields.length - b.fields.length);

/** The method that a request calls, or undefined. @throws CallRefused when the path is malformed */
export function route(verb: string, path: string): RoutedCall | undefined {
  for (const { verb: wanted, pattern, fields, method } of routes) {
    const match = wanted === verb ? pattern.exec(path) : null;
    if (match === null) continue;
    return { method, fields: fields.map((field, index) => [field, decode(match[index + 1] ?? "")]) };
  }
  return undefined;
}

/** `/a/{b}/{c.d=**}`: a variable is one part of the path, or all that is left of it. */
function compile(template: string): Pick<Route, "pattern" | "fields"> {
  const fields: string[] = [];
  const parts = template.split("/").map((part) => {
    const [, field, rest] = /^\{([\w.]+)(=\*\*)?\}$/.exec(part) ?? [];
    if (field === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    fields.push(field);
    return rest === undefined ? "([^/]+)" : "(.+)";
  });
  return { pattern: new RegExp(`^${parts.join("/")}/?$`), fields };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalidArgument(`${part}: not percent-encoded UTF-8`);
  }
}
