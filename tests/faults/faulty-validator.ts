/**
 * The `dcx` command of a validator that is at fault, for tests: DCX_TEST_FAULT says how it changes the blocks that it
 * proposes, DCX_TEST_WHOM whose payments a censoring one leaves out. All else is the real one.
 */
import { join } from "node:path";
import { Application } from "@dcx/exchange";
import { MsgSubmitLease } from "@dcx/protocol";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { TxBody, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import {
  ResponsePrepareProposal,
  ResponseProcessProposal,
  ResponseProcessProposal_ProposalStatus as Status,
} from "cosmjs-types/tendermint/abci/types";

type Block = readonly Uint8Array[];

const whom = process.env["DCX_TEST_WHOM"] ?? "";
const leaseType = "/dcx.exchange.v1.MsgSubmitLease";
const facilitatorTypes = new Set([leaseType, "/dcx.exchange.v1.MsgSubmitStaleLease"]);

function bodyOf(transaction: Uint8Array): TxBody {
  return TxBody.decode(TxRaw.decode(transaction).bodyBytes);
}

function isFacilitators(transaction: Uint8Array): boolean {
  return bodyOf(transaction).messages.some(({ typeUrl }) => facilitatorTypes.has(typeUrl));
}

/** A lease for who bid before the one who won it. */
function forged(transaction: Uint8Array): Uint8Array {
  const { bodyBytes: _, ...rest } = TxRaw.decode(transaction);
  const body = bodyOf(transaction);
  const messages = body.messages.map((message) => {
    if (message.typeUrl !== leaseType) return message;
    const { fulfillment } = MsgSubmitLease.decode(message.value);
    if (fulfillment === undefined) return message;
    const { order, index } = fulfillment;
    const other = MsgSubmitLease.fromPartial({ fulfillment: { ...(order && { order }), index: index - 1 } });
    return { typeUrl: leaseType, value: MsgSubmitLease.encode(other).finish() };
  });
  return TxRaw.encode({ ...rest, bodyBytes: TxBody.encode({ ...body, messages }).finish() }).finish();
}

function sentBy(transaction: Uint8Array, address: string): boolean {
  return bodyOf(transaction).messages.some(
    ({ typeUrl, value }) => typeUrl === "/cosmos.bank.v1beta1.MsgSend" && MsgSend.decode(value).fromAddress === address,
  );
}

const faults: Readonly<Record<string, (block: Block) => Block>> = {
  wrong: (block) => block.map((one) => (isFacilitators(one) ? forged(one) : one)),
  missing: (block) => block.filter((one) => !isFacilitators(one)),
  reordered: (block) => [...block.filter(isFacilitators).reverse(), ...block.filter((one) => !isFacilitators(one))],
  last: (block) => [...block.filter((one) => !isFacilitators(one)), ...block.filter(isFacilitators)],
  censoring: (block) => block.filter((one) => !sentBy(one, whom)),
};

const fault = faults[process.env["DCX_TEST_FAULT"] ?? ""];
if (fault === undefined) throw new Error(`DCX_TEST_FAULT: one of ${Object.keys(faults).join(", ")}`);
const { prepareProposal, processProposal } = Application.prototype;
Application.prototype.prepareProposal = function (request) {
  return ResponsePrepareProposal.fromPartial({ txs: [...fault(prepareProposal.call(this, request).txs)] });
};
// It votes for its own.
Application.prototype.processProposal = function (request) {
  processProposal.call(this, request);
  return ResponseProcessProposal.fromPartial({ status: Status.ACCEPT });
};

require(join(process.env["DCX_TEST_ROOT"] ?? "", "cli", "dist", "main.js"));
