import type { MsgGrantAllowance, MsgRevokeAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/tx";
import { type Message, typeUrls } from "./messages";

/** What an account lets another pay fees with. */
export interface FeeGrant {
  readonly granter: string;
  readonly grantee: string;
  /** Micro-units that are left; absent: without a limit. */
  readonly limit: bigint | undefined;
  /** Types of the only messages that it is for; absent: all. */
  readonly messages: readonly string[] | undefined;
}

const basicType = "/cosmos.feegrant.v1beta1.BasicAllowance";
const allowedType = "/cosmos.feegrant.v1beta1.AllowedMsgAllowance";

/** The message that grants it: the feegrant module's. */
export async function grantAllowanceMessage(
  { granter, grantee, limit, messages }: FeeGrant,
  denomination: string,
): Promise<Message<MsgGrantAllowance>> {
  const { AllowedMsgAllowance, BasicAllowance } = await import("cosmjs-types/cosmos/feegrant/v1beta1/feegrant");
  const spendLimit = limit === undefined ? [] : [{ denom: denomination, amount: limit.toString() }];
  const basic = { typeUrl: basicType, value: BasicAllowance.encode({ spendLimit }).finish() };
  const allowedMessages = [...(messages ?? [])];
  const allowance =
    messages === undefined
      ? basic
      : { typeUrl: allowedType, value: AllowedMsgAllowance.encode({ allowance: basic, allowedMessages }).finish() };
  return { typeUrl: typeUrls.grantAllowance, value: { granter, grantee, allowance } };
}

export function revokeAllowanceMessage(granter: string, grantee: string): Message<MsgRevokeAllowance> {
  return { typeUrl: typeUrls.revokeAllowance, value: { granter, grantee } };
}

/** The request and the reader of the answer of the feegrant module's query for all grants of a grantee. */
export async function allowancesQuery(grantee: string, page: Uint8Array) {
  const [
    { QueryAllowancesRequest, QueryAllowancesResponse },
    { AllowedMsgAllowance, BasicAllowance },
    { PageRequest },
  ] = await Promise.all([
    import("cosmjs-types/cosmos/feegrant/v1beta1/query"),
    import("cosmjs-types/cosmos/feegrant/v1beta1/feegrant"),
    import("cosmjs-types/cosmos/base/query/v1beta1/pagination"),
  ]);
  const pagination = PageRequest.fromPartial({ key: page });
  return {
    path: "/cosmos.feegrant.v1beta1.Query/Allowances",
    data: QueryAllowancesRequest.encode({ grantee, pagination }).finish(),
    read(answer: Uint8Array): { readonly grants: readonly FeeGrant[]; readonly next: Uint8Array } {
      const { allowances, pagination: pages } = QueryAllowancesResponse.decode(answer);
      const grants = allowances.map(({ granter, grantee: own, allowance }): FeeGrant => {
        const outer = allowance?.typeUrl === allowedType ? AllowedMsgAllowance.decode(allowance.value) : undefined;
        const basic = outer?.allowance ?? allowance;
        const { spendLimit } = BasicAllowance.decode(basic?.value ?? new Uint8Array());
        const amount = spendLimit[0]?.amount;
        return {
          granter,
          grantee: own,
          limit: amount === undefined ? undefined : BigInt(amount),
          messages: outer?.allowedMessages,
        };
      });
      return { grants, next: pages?.nextKey ?? new Uint8Array() };
    },
  };
}
