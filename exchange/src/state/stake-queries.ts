import {
  type Delegation,
  type DelegationWithRewards,
  type QueryDelegationsRequest,
  type QueryDelegationsResponse,
  type QueryUnbondingsRequest,
  type QueryUnbondingsResponse,
  type QueryValidatorsRequest,
  type QueryValidatorsResponse,
  Validator,
  type ValidatorWithRewards,
} from "@dcx/protocol";
import { delegations, tokensOfShares } from "./delegations";
import { invalid } from "./errors";
import { readUint64, tables, textKey } from "./keys";
import { paginate } from "./pages";
import { getParameters } from "./records";
import { rewardsNow, rewardsOf } from "./rewards";
import type { KeyValueReader } from "./store";
import { unbondings } from "./unbondings";
import { checkDeploymentId } from "./validation";
import { signingRecords, validators } from "./validators";

/** The queries about stake, one function each, over a committed state and its height. */

function checkAccount(address: string, field: string): string {
  checkDeploymentId({ tenant: address, sequence: 0n }, field);
  return address;
}

function described(store: KeyValueReader, height: bigint, validator: Validator): ValidatorWithRewards {
  const { signingWindow } = getParameters(store);
  const signing = signingRecords.get(store, validator.operator);
  // What was missed in another window than the next block's counts no more.
  const current = signing !== undefined && signingWindow > 0n && signing.window === (height + 1n) / signingWindow;
  return {
    validator,
    commission: rewardsNow(store, validator).commission,
    missed: current ? signing.missed : 0n,
  };
}

export function queryValidators(
  store: KeyValueReader,
  height: bigint,
  request: QueryValidatorsRequest,
): QueryValidatorsResponse {
  if (request.operator !== "") {
    const found = validators.get(store, checkAccount(request.operator, "operator"));
    const listed = found === undefined ? [] : [described(store, height, found)];
    return { validators: listed, page: { nextKey: new Uint8Array(0) }, height };
  }
  const { items, page } = paginate(store, tables.validator, request.page, (_key, value) =>
    described(store, height, Validator.decode(value)),
  );
  return { validators: items, page, height };
}

/** A delegation with what it is worth and has earned. */
export function valued(store: KeyValueReader, delegation: Delegation): DelegationWithRewards {
  const validator = validators.need(store, delegation.validator);
  return {
    delegation,
    tokens: tokensOfShares(validator, BigInt(delegation.shares)),
    rewards: rewardsOf(delegation, rewardsNow(store, validator)),
  };
}

/** Of a delegator, or with a validator. */
export function queryDelegations(
  store: KeyValueReader,
  height: bigint,
  request: QueryDelegationsRequest,
): QueryDelegationsResponse {
  const { delegator, validator } = request;
  if ((delegator === "") === (validator === "")) throw invalid("delegator", "give it or the validator, one of the two");
  const byDelegator = delegator !== "";
  const prefix = byDelegator
    ? tables.delegation + textKey(checkAccount(delegator, "delegator"))
    : tables.validatorDelegation + textKey(checkAccount(validator, "validator"));
  const { items, page } = paginate(store, prefix, request.page, (key) => {
    const other = key.slice(0, -1);
    const id = byDelegator ? { delegator, validator: other } : { delegator: other, validator };
    return valued(store, delegations.need(store, id));
  });
  return { delegations: items, page, height };
}

export function queryUnbondings(
  store: KeyValueReader,
  height: bigint,
  request: QueryUnbondingsRequest,
): QueryUnbondingsResponse {
  const prefix = tables.delegatorUnbonding + textKey(checkAccount(request.delegator, "delegator"));
  const { items, page } = paginate(store, prefix, request.page, (key) => {
    const end = key.indexOf("\0");
    return unbondings.need(store, { validator: key.slice(0, end), id: readUint64(key, end + 1) });
  });
  return { unbondings: items, page, height };
}
