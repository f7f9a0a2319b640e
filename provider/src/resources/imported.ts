import type { ValueMap } from "../wire/value";
import type { DiffRequest } from "./resource";

/** The property of a state that says that it was imported and not changed since. It is no output. */
const IMPORTED = "__imported";

/** What a read keeps of that: an import begins with it, and the first update's state has it no more. */
export function importMark(isImport: boolean, state: ValueMap | undefined): ValueMap {
  return isImport || state?.[IMPORTED] === true ? { [IMPORTED]: true } : {};
}

/**
 * The old inputs to compare with. An input that steers the provider and is nowhere on the network (`name`) could not be
 * read there: a program that has it and imports the resource has changed nothing.
 */
export function withLocal({ oldInputs, inputs, oldState }: DiffRequest, name: string): ValueMap {
  const own = inputs[name];
  const first = oldState[IMPORTED] === true && oldInputs[name] === undefined;
  return first && own !== undefined ? { ...oldInputs, [name]: own } : oldInputs;
}
