import {
  messages,
  type OrderId,
  orderKey,
  type SigningExchangeClient,
  TransactionFailed,
  TransactionRejected,
} from "@dcx/protocol";
import type { Logger } from "pino";
import type { ChainFollower } from "../chain/follower";

/** Notices in one transaction. */
const noticesPerTransaction = 20;

export interface NoticeGiver {
  readonly signing: SigningExchangeClient;
  readonly follower: Pick<ChainFollower, "noteNotice">;
  readonly logger: Logger;
}

/**
 * Gives notice for leases, many in one transaction. Where the chain refuses one (its lease has just ended), each goes
 * in a transaction of its own, so that it holds up no other; what is refused then is asked about again with the next block.
 */
export async function giveNotices(giver: NoticeGiver, leases: readonly OrderId[], signal: AbortSignal): Promise<void> {
  for (let at = 0; at < leases.length; at += noticesPerTransaction) {
    await send(giver, leases.slice(at, at + noticesPerTransaction), signal);
  }
}

async function send(giver: NoticeGiver, leases: readonly OrderId[], signal: AbortSignal): Promise<void> {
  const { follower, logger, signing } = giver;
  const notices = leases.map((lease) => messages.giveNotice({ datacenter: signing.address, lease }));
  try {
    const { responses } = await signing.submit(notices, { signal });
    for (const [index, lease] of leases.entries()) {
      const response = responses[index];
      if (response?.type !== "giveNotice") continue;
      const { endHeight } = response.value;
      follower.noteNotice(orderKey(lease), endHeight);
      logger.info({ lease: orderKey(lease), endHeight }, "notice given");
    }
  } catch (error) {
    if (!(error instanceof TransactionFailed || error instanceof TransactionRejected)) throw error;
    if (leases.length > 1) {
      for (const lease of leases) await send(giver, [lease], signal);
    } else {
      logger.warn({ lease: leases.map(orderKey), err: error }, "the exchange refused a notice");
    }
  }
}
