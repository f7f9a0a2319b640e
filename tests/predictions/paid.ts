import type { CommittedTransaction } from "@dcx/protocol";
import { AuthInfo, TxBody, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";

/** A transaction of a tenant that is in a block. */
export interface Paid {
  readonly kind: string;
  /** Sequence of the deployment that it is about. */
  readonly deployment: bigint;
  /** Micro-units. */
  readonly fee: number;
}

const kinds = ["SubmitDeployment", "UpdateDeployment", "CancelDeployment"];

/** What a transaction says, where it is about a deployment. */
export function paidIn({ transaction, events }: CommittedTransaction): readonly Paid[] {
  const { bodyBytes, authInfoBytes } = TxRaw.decode(transaction);
  const fee = Number(AuthInfo.decode(authInfoBytes).fee?.amount[0]?.amount ?? 0);
  return TxBody.decode(bodyBytes).messages.flatMap(({ typeUrl }) => {
    const kind = kinds.find((one) => typeUrl.endsWith(`Msg${one}`));
    const changed = events.flatMap((event) => (event.type === "deployment" ? [event.value.deployment?.sequence] : []));
    return kind === undefined ? [] : [{ kind, deployment: changed[0] ?? 0n, fee }];
  });
}
