import { AccountRecord } from "@dcx/protocol";
import { BaseAccount } from "cosmjs-types/cosmos/auth/v1beta1/auth";
import {
  QueryAccountRequest,
  QueryAccountResponse,
  QueryAccountsRequest,
  QueryAccountsResponse,
} from "cosmjs-types/cosmos/auth/v1beta1/query";
import {
  QueryAllBalancesRequest,
  QueryAllBalancesResponse,
  QueryBalanceRequest,
  QueryBalanceResponse,
  QuerySpendableBalancesRequest,
  QuerySpendableBalancesResponse,
  QuerySupplyOfRequest,
  QuerySupplyOfResponse,
  QueryTotalSupplyResponse,
} from "cosmjs-types/cosmos/bank/v1beta1/query";
import { PubKey } from "cosmjs-types/cosmos/crypto/secp256k1/keys";
import { Grant } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import {
  QueryAllowanceRequest,
  QueryAllowanceResponse,
  QueryAllowancesRequest,
  QueryAllowancesResponse,
} from "cosmjs-types/cosmos/feegrant/v1beta1/query";
import { type Account, balanceOf, getAccount } from "../state/accounts";
import { feeGrants } from "../state/fee-grants";
import { keyAfter, prefixEnd, tables, textKey } from "../state/keys";
import { getChain } from "../state/records";
import type { KeyValueReader } from "../state/store";
import { getTotals, supplyOf } from "../state/totals";
import type { QueryHandler } from "./cosmos-answers";
import { distributionQueries } from "./cosmos-distribution-queries";
import { governanceQueries } from "./cosmos-governance-queries";
import { slashingQueries } from "./cosmos-slashing-queries";
import { stakingQueries } from "./cosmos-staking-queries";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";

export type { QueryHandler };

const accountType = "/cosmos.auth.v1beta1.BaseAccount";
const keyType = "/cosmos.crypto.secp256k1.PubKey";
const mostPerPage = 1000n;

/** The queries of the Cosmos SDK that clients and wallets can't do without, by their gRPC path. */
const moduleQueries: Readonly<Record<string, QueryHandler>> = {
  "/cosmos.auth.v1beta1.Query/Account": (state, request) => {
    const { address } = QueryAccountRequest.decode(request);
    const account = getAccount(state, address);
    if (account === undefined) {
      // cosmjs knows a missing account by this text.
      throw new EnvelopeError(
        EnvelopeErrorCode.KeyNotFound,
        `rpc error: code = NotFound desc = account ${address} not found: key not found`,
      );
    }
    return QueryAccountResponse.encode({ account: encodeAccount(account) }).finish();
  },
  "/cosmos.auth.v1beta1.Query/Accounts": (state, request) => {
    const { pagination } = QueryAccountsRequest.decode(request);
    const limit = pageSize(pagination?.limit);
    const after = Buffer.from(pagination?.key ?? []).toString("latin1");
    const start = after === "" ? tables.account : keyAfter(tables.account + textKey(after));
    const entries = [...state.range(start, prefixEnd(tables.account), { limit: limit + 1 })];
    const accounts = entries.map(([, value]) => AccountRecord.decode(value));
    const next = accounts.length > limit ? accounts[limit - 1] : undefined;
    return QueryAccountsResponse.encode({
      accounts: accounts.slice(0, limit).map(encodeAccount),
      pagination: { nextKey: Buffer.from(next?.address ?? "", "latin1"), total: 0n },
    }).finish();
  },
  "/cosmos.bank.v1beta1.Query/Balance": (state, request) => {
    const { address, denom } = QueryBalanceRequest.decode(request);
    const amount = denom === denominationOf(state) ? balanceOf(state, address) : 0n;
    return QueryBalanceResponse.encode({ balance: { denom, amount: amount.toString() } }).finish();
  },
  "/cosmos.bank.v1beta1.Query/AllBalances": (state, request) => {
    const { address } = QueryAllBalancesRequest.decode(request);
    return QueryAllBalancesResponse.encode({ balances: balances(state, address) }).finish();
  },
  "/cosmos.bank.v1beta1.Query/SpendableBalances": (state, request) => {
    const { address } = QuerySpendableBalancesRequest.decode(request);
    return QuerySpendableBalancesResponse.encode({ balances: balances(state, address) }).finish();
  },
  "/cosmos.bank.v1beta1.Query/SupplyOf": (state, request) => {
    const { denom } = QuerySupplyOfRequest.decode(request);
    const amount = denom === denominationOf(state) ? supply(state) : 0n;
    return QuerySupplyOfResponse.encode({ amount: { denom, amount: amount.toString() } }).finish();
  },
  "/cosmos.bank.v1beta1.Query/TotalSupply": (state) =>
    QueryTotalSupplyResponse.encode({
      supply: [{ denom: denominationOf(state), amount: supply(state).toString() }],
    }).finish(),
};

/** Those of the feegrant module, by grantee as they are kept. */
const feeGrantQueries: Readonly<Record<string, QueryHandler>> = {
  "/cosmos.feegrant.v1beta1.Query/Allowance": (state, request) => {
    const { granter, grantee } = QueryAllowanceRequest.decode(request);
    const allowance = feeGrants.get(state, { granter, grantee });
    if (allowance === undefined) {
      throw new EnvelopeError(
        EnvelopeErrorCode.KeyNotFound,
        `rpc error: code = NotFound desc = ${granter} pays no fees of ${grantee}: fee-grant not found: key not found`,
      );
    }
    return QueryAllowanceResponse.encode({ allowance }).finish();
  },
  "/cosmos.feegrant.v1beta1.Query/Allowances": (state, request) => {
    const { grantee, pagination } = QueryAllowancesRequest.decode(request);
    const limit = pageSize(pagination?.limit);
    const prefix = tables.feeGrant + textKey(grantee);
    const after = Buffer.from(pagination?.key ?? []).toString("latin1");
    const start = after === "" ? prefix : keyAfter(prefix + textKey(after));
    const entries = [...state.range(start, prefixEnd(prefix), { limit: limit + 1 })];
    const allowances = entries.slice(0, limit).map(([, value]) => Grant.decode(value));
    const last = entries.length > limit ? (allowances.at(-1)?.granter ?? "") : "";
    const next = { nextKey: Buffer.from(last, "latin1"), total: 0n };
    return QueryAllowancesResponse.encode({ allowances, pagination: next }).finish();
  },
};

function pageSize(asked: bigint | undefined): number {
  const limit = asked === undefined || asked === 0n ? 100n : asked;
  return Number(limit < mostPerPage ? limit : mostPerPage);
}

/** All of them. */
export const cosmosQueries: Readonly<Record<string, QueryHandler>> = {
  ...moduleQueries,
  ...feeGrantQueries,
  ...stakingQueries,
  ...slashingQueries,
  ...distributionQueries,
  ...governanceQueries,
};

function encodeAccount(account: Account | AccountRecord): { typeUrl: string; value: Uint8Array } {
  const { address, accountNumber, sequence, publicKey } = account;
  const pubKey =
    publicKey === undefined || publicKey.length === 0
      ? {}
      : { pubKey: { typeUrl: keyType, value: PubKey.encode({ key: publicKey }).finish() } };
  return {
    typeUrl: accountType,
    value: BaseAccount.encode({ address, accountNumber, sequence, ...pubKey }).finish(),
  };
}

function balances(state: KeyValueReader, address: string): { denom: string; amount: string }[] {
  const amount = balanceOf(state, address);
  return amount === 0n ? [] : [{ denom: denominationOf(state), amount: amount.toString() }];
}

function denominationOf(state: KeyValueReader): string {
  return getChain(state).denomination;
}

/** All tokens there are, wherever they lie. */
function supply(state: KeyValueReader): bigint {
  return supplyOf(getTotals(state));
}
