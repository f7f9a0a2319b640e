import { type ParameterChange, Parameters } from "@dcx/protocol";
import { invalid } from "./errors";
import { changeMatchedCollateral } from "./interest";
import { checkParameters, defaultParameters } from "./parameters";
import { getParameters, parameterTable } from "./records";
import type { KeyValueStore } from "./store";
import { changeStaking } from "./validators";

/** Every parameter, with a value of its type. */
const known = new Map(Object.entries(defaultParameters()));
const largestUint32 = 4_294_967_295n;

/**
 * The parameters with these changes.
 * @throws ExchangeError InvalidMessage naming the one that no chain can run with
 */
export function changedParameters(before: Readonly<Parameters>, changes: readonly ParameterChange[]): Parameters {
  const values: Record<string, string> = {};
  for (const { name, value } of changes) {
    const type = typeof known.get(name);
    if (!known.has(name))
      throw invalid("changes", `"${name}" is no parameter: there are ${[...known.keys()].join(", ")}`);
    if (name in values) throw invalid("changes", `"${name}" is there twice`);
    if (!/^(0|[1-9][0-9]{0,36})$/.test(value)) throw invalid(`changes.${name}`, "must be a whole number, in decimal");
    if (type === "number" && BigInt(value) > largestUint32) throw invalid(`changes.${name}`, "is out of range");
    if (type === "bigint" && BigInt(value) > 2n ** 53n) throw invalid(`changes.${name}`, "is out of range");
    values[name] = value;
  }
  const changed = Parameters.fromJSON({ ...(Parameters.toJSON(before) as object), ...values });
  checkParameters(changed);
  if (before.maxValidators > 0 && changed.maxValidators === 0)
    throw invalid("changes.maxValidators", "can't become 0 by vote: nobody could take stake back any more");
  return changed;
}

/**
 * The chain goes by other parameters from the next block on. Interest up to now is counted by the old ones; whom the
 * stake elects is looked at anew.
 */
function replaceParameters(store: KeyValueStore, height: bigint, parameters: Parameters): void {
  changeMatchedCollateral(store, height, 0n);
  parameterTable.put(store, undefined, parameters);
  changeStaking(store, { electionDue: true });
}

/** @throws ExchangeError InvalidMessage as `changedParameters` */
export function applyChanges(store: KeyValueStore, height: bigint, changes: readonly ParameterChange[]): void {
  replaceParameters(store, height, changedParameters(getParameters(store), changes));
}
