import type { Delegation, DelegationWithRewards, Unbonding, Validator } from "@dcx/protocol";
import {
  QueryDelegationRequest,
  QueryDelegationResponse,
  QueryDelegatorDelegationsRequest,
  QueryDelegatorDelegationsResponse,
  QueryDelegatorUnbondingDelegationsRequest,
  QueryDelegatorUnbondingDelegationsResponse,
  QueryDelegatorValidatorsRequest,
  QueryDelegatorValidatorsResponse,
  QueryParamsResponse,
  QueryPoolResponse,
  QueryUnbondingDelegationRequest,
  QueryUnbondingDelegationResponse,
  QueryValidatorDelegationsRequest,
  QueryValidatorDelegationsResponse,
  QueryValidatorRequest,
  QueryValidatorResponse,
  QueryValidatorsRequest,
  QueryValidatorsResponse,
} from "cosmjs-types/cosmos/staking/v1beta1/query";
import {
  BondStatus,
  Validator as CosmosValidator,
  type DelegationResponse,
  Params,
  UnbondingDelegation,
} from "cosmjs-types/cosmos/staking/v1beta1/staking";
import { wrapConsensusKey } from "../consensus-key";
import { delegations } from "../state/delegations";
import { accountOfOperator, operatorAddressOf } from "../state/operators";
import { scale } from "../state/quantities";
import { getChain, getParameters, present } from "../state/records";
import { queryDelegations, queryUnbondings, queryValidators, valued } from "../state/stake-queries";
import type { KeyValueReader } from "../state/store";
import { bondedStake } from "../state/tally";
import { getTotals } from "../state/totals";
import { validators } from "../state/validators";
import { coinOf, durationOf, notFound, pageOf, pagination, type QueryHandler } from "./cosmos-answers";

const bonded = "BOND_STATUS_BONDED";

/** The staking module's queries, which wallets and explorers ask. Ends of periods are heights here, so times are 0. */
export const stakingQueries: Readonly<Record<string, QueryHandler>> = {
  "/cosmos.staking.v1beta1.Query/Validators": (state, request, height) => {
    const { status, pagination: asked } = QueryValidatorsRequest.decode(request);
    const { validators: found, page } = queryValidators(state, height, { operator: "", page: pageOf(asked) });
    const fits = ({ power }: Validator): boolean => status === "" || power > 0n === (status === bonded);
    const described = found.flatMap(({ validator }) =>
      validator !== undefined && fits(validator) ? [describe(validator)] : [],
    );
    return QueryValidatorsResponse.encode({ validators: described, pagination: pagination(page) }).finish();
  },
  "/cosmos.staking.v1beta1.Query/Validator": (state, request) => {
    const { validatorAddr } = QueryValidatorRequest.decode(request);
    return QueryValidatorResponse.encode({ validator: describe(validatorAt(state, validatorAddr)) }).finish();
  },
  "/cosmos.staking.v1beta1.Query/ValidatorDelegations": (state, request, height) => {
    const { validatorAddr, pagination: asked } = QueryValidatorDelegationsRequest.decode(request);
    const { operator } = validatorAt(state, validatorAddr);
    const found = queryDelegations(state, height, { delegator: "", validator: operator, page: pageOf(asked) });
    return QueryValidatorDelegationsResponse.encode({
      delegationResponses: found.delegations.map((one) => delegationResponse(state, one)),
      pagination: pagination(found.page),
    }).finish();
  },
  "/cosmos.staking.v1beta1.Query/Delegation": (state, request) => {
    const { delegatorAddr, validatorAddr } = QueryDelegationRequest.decode(request);
    const validator = accountOfOperator(validatorAddr, "validator_addr");
    const found = delegations.get(state, { delegator: delegatorAddr, validator });
    if (found === undefined)
      throw notFound(`delegation with delegator ${delegatorAddr} not found for ${validatorAddr}`);
    return QueryDelegationResponse.encode({
      delegationResponse: delegationResponse(state, valued(state, found)),
    }).finish();
  },
  "/cosmos.staking.v1beta1.Query/DelegatorDelegations": (state, request, height) => {
    const { delegatorAddr, pagination: asked } = QueryDelegatorDelegationsRequest.decode(request);
    const found = queryDelegations(state, height, { delegator: delegatorAddr, validator: "", page: pageOf(asked) });
    return QueryDelegatorDelegationsResponse.encode({
      delegationResponses: found.delegations.map((one) => delegationResponse(state, one)),
      pagination: pagination(found.page),
    }).finish();
  },
  "/cosmos.staking.v1beta1.Query/DelegatorValidators": (state, request, height) => {
    const { delegatorAddr, pagination: asked } = QueryDelegatorValidatorsRequest.decode(request);
    const found = queryDelegations(state, height, { delegator: delegatorAddr, validator: "", page: pageOf(asked) });
    return QueryDelegatorValidatorsResponse.encode({
      validators: found.delegations.map((one) => describe(validators.need(state, delegationOf(one).validator))),
      pagination: pagination(found.page),
    }).finish();
  },
  "/cosmos.staking.v1beta1.Query/UnbondingDelegation": (state, request, height) => {
    const { delegatorAddr, validatorAddr } = QueryUnbondingDelegationRequest.decode(request);
    const validator = accountOfOperator(validatorAddr, "validator_addr");
    // A delegator has few: `max_unbondings` of each validator.
    const page = { key: new Uint8Array(), limit: 1_000, offset: 0n };
    const found = queryUnbondings(state, height, { delegator: delegatorAddr, page }).unbondings;
    const [unbond] = unbondingsByValidator(found.filter((one) => one.validator === validator));
    if (unbond === undefined)
      throw notFound(`unbonding delegation with delegator ${delegatorAddr} not found for ${validatorAddr}`);
    return QueryUnbondingDelegationResponse.encode({ unbond }).finish();
  },
  "/cosmos.staking.v1beta1.Query/DelegatorUnbondingDelegations": (state, request, height) => {
    const { delegatorAddr, pagination: asked } = QueryDelegatorUnbondingDelegationsRequest.decode(request);
    const found = queryUnbondings(state, height, { delegator: delegatorAddr, page: pageOf(asked) });
    return QueryDelegatorUnbondingDelegationsResponse.encode({
      unbondingResponses: unbondingsByValidator(found.unbondings),
      pagination: pagination(found.page),
    }).finish();
  },
  "/cosmos.staking.v1beta1.Query/Pool": (state) => {
    const bondedTokens = bondedStake(state);
    const { staked, unbonding } = getTotals(state);
    const notBondedTokens = staked - bondedTokens + unbonding;
    return QueryPoolResponse.encode({
      pool: { notBondedTokens: notBondedTokens.toString(), bondedTokens: bondedTokens.toString() },
    }).finish();
  },
  "/cosmos.staking.v1beta1.Query/Params": (state) => {
    const { maxValidators, maxUnbondings, unbondingPeriod } = getParameters(state);
    const params = Params.fromPartial({
      unbondingTime: durationOf(state, unbondingPeriod),
      maxValidators,
      maxEntries: maxUnbondings,
      historicalEntries: 0,
      bondDenom: getChain(state).denomination,
      minCommissionRate: "0",
    });
    return QueryParamsResponse.encode({ params }).finish();
  },
};

function validatorAt(state: KeyValueReader, address: string): Validator {
  const found = validators.get(state, accountOfOperator(address, "validator_addr"));
  if (found === undefined) throw notFound(`validator ${address} not found`);
  return found;
}

function describe(validator: Validator): CosmosValidator {
  const { operator, consensusKey, power, jailed, tokens, shares, description, commission } = validator;
  return CosmosValidator.fromPartial({
    operatorAddress: operatorAddressOf(operator),
    consensusPubkey: wrapConsensusKey(consensusKey),
    jailed,
    status: power > 0n ? BondStatus.BOND_STATUS_BONDED : BondStatus.BOND_STATUS_UNBONDED,
    tokens: tokens.toString(),
    // Shares have 18 places there.
    delegatorShares: (BigInt(shares) * scale).toString(),
    description: description ?? {},
    commission: {
      commissionRates: {
        rate: commission?.rate ?? "0",
        maxRate: commission?.maxRate ?? "0",
        maxChangeRate: commission?.maxChange ?? "0",
      },
    },
    minSelfDelegation: validator.minSelfDelegation.toString(),
  });
}

function delegationOf({ delegation }: DelegationWithRewards): Delegation {
  return present(delegation, "a delegation");
}

function delegationResponse(state: KeyValueReader, found: DelegationWithRewards): DelegationResponse {
  const { delegator, validator, shares } = delegationOf(found);
  return {
    delegation: {
      delegatorAddress: delegator,
      validatorAddress: operatorAddressOf(validator),
      shares: (BigInt(shares) * scale).toString(),
    },
    balance: coinOf(state, found.tokens),
  };
}

/** One for each validator, in the order in which they come. */
function unbondingsByValidator(found: readonly Unbonding[]): UnbondingDelegation[] {
  const byValidator = new Map<string, UnbondingDelegation>();
  for (const { delegator, validator, height, initial, balance, id } of found) {
    const one =
      byValidator.get(validator) ??
      UnbondingDelegation.fromPartial({
        delegatorAddress: delegator,
        validatorAddress: operatorAddressOf(validator),
      });
    one.entries.push({
      creationHeight: height,
      completionTime: { seconds: 0n, nanos: 0 },
      initialBalance: initial.toString(),
      balance: balance.toString(),
      unbondingId: id,
      unbondingOnHoldRefCount: 0n,
    });
    byValidator.set(validator, one);
  }
  return [...byValidator.values()];
}
