import fc from "fast-check";
import { methods, pathOf } from "../../gateway/definitions";
import { decisions, mutate } from "./mutations";
import { shapeOf } from "./shapes";

/** Calls of every method of every service, with requests that are good, wrong, or none at all. */
export const calls = fc
  .record({
    method: fc.constantFrom(...methods),
    named: fc.array(decisions, { minLength: 1, maxLength: 3 }),
    bytes: fc.option(fc.uint8Array({ maxLength: 300 }), { freq: 6, nil: undefined }),
  })
  .map(({ method, named, bytes }) => {
    const shape = shapeOf(method.input.typeName);
    const empty: Uint8Array = new Uint8Array();
    const request = bytes ?? named.reduce((made, decision) => mutate(made, shape, decision, []), empty);
    return { method, path: pathOf(method), request };
  });

/** What says of an answer that nobody thought of the question. */
export const defect =
  /undefined|not a function|Cannot |not iterable|call stack|out of bounds|BigInt|check the disk|defect/;
