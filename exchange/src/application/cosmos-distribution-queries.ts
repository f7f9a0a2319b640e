import type { Validator } from "@dcx/protocol";
import {
  QueryDelegationRewardsRequest,
  QueryDelegationRewardsResponse,
  QueryDelegationTotalRewardsRequest,
  QueryDelegationTotalRewardsResponse,
  QueryValidatorCommissionRequest,
  QueryValidatorCommissionResponse,
  QueryValidatorOutstandingRewardsRequest,
  QueryValidatorOutstandingRewardsResponse,
} from "cosmjs-types/cosmos/distribution/v1beta1/query";
import { delegations } from "../state/delegations";
import { accountOfOperator, operatorAddressOf } from "../state/operators";
import { present } from "../state/records";
import { rewardsNow } from "../state/rewards";
import { queryDelegations, valued } from "../state/stake-queries";
import type { KeyValueReader } from "../state/store";
import { validators } from "../state/validators";
import { fineCoins, notFound, type QueryHandler } from "./cosmos-answers";

/** The distribution module's queries, which wallets and explorers ask. */
export const distributionQueries: Readonly<Record<string, QueryHandler>> = {
  "/cosmos.distribution.v1beta1.Query/DelegationRewards": (state, request) => {
    const { delegatorAddress, validatorAddress } = QueryDelegationRewardsRequest.decode(request);
    const validator = accountOfOperator(validatorAddress, "validator_address");
    const found = delegations.get(state, { delegator: delegatorAddress, validator });
    if (found === undefined) throw notFound(`${delegatorAddress} has no stake with ${validatorAddress}`);
    const { rewards } = valued(state, found);
    return QueryDelegationRewardsResponse.encode({ rewards: fineCoins(state, rewards) }).finish();
  },
  // Of a thousand delegations, which is more than a wallet shows.
  "/cosmos.distribution.v1beta1.Query/DelegationTotalRewards": (state, request, height) => {
    const { delegatorAddress } = QueryDelegationTotalRewardsRequest.decode(request);
    const page = { key: new Uint8Array(), limit: 1_000, offset: 0n };
    const found = queryDelegations(state, height, { delegator: delegatorAddress, validator: "", page }).delegations;
    const rewards = found.map(({ delegation, rewards: earned }) => ({
      validatorAddress: operatorAddressOf(present(delegation, "a delegation").validator),
      reward: fineCoins(state, earned),
    }));
    const total = found.reduce((sum, one) => sum + one.rewards, 0n);
    return QueryDelegationTotalRewardsResponse.encode({ rewards, total: fineCoins(state, total) }).finish();
  },
  "/cosmos.distribution.v1beta1.Query/ValidatorCommission": (state, request) => {
    const { validatorAddress } = QueryValidatorCommissionRequest.decode(request);
    const { commission } = rewardsNow(state, validatorAt(state, validatorAddress));
    return QueryValidatorCommissionResponse.encode({
      commission: { commission: fineCoins(state, commission) },
    }).finish();
  },
  "/cosmos.distribution.v1beta1.Query/ValidatorOutstandingRewards": (state, request) => {
    const { validatorAddress } = QueryValidatorOutstandingRewardsRequest.decode(request);
    const { outstanding } = rewardsNow(state, validatorAt(state, validatorAddress));
    return QueryValidatorOutstandingRewardsResponse.encode({
      rewards: { rewards: fineCoins(state, outstanding) },
    }).finish();
  },
};

function validatorAt(state: KeyValueReader, address: string): Validator {
  const found = validators.get(state, accountOfOperator(address, "validator_address"));
  if (found === undefined) throw notFound(`validator ${address} not found`);
  return found;
}
