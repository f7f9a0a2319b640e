import { CloseReason, LeaseState, OrderState, TimerKind } from "@dcx/protocol";
import { countAbsence } from "./absences";
import { type BlockContext, type Event, EventList, type TransitionContext } from "./context";
import { datacenterChanged } from "./events";
import { closeLease } from "./leases";
import { closeOrder } from "./orders";
import { pruneProposal } from "./proposals";
import { pruneDeployment, pruneOrder } from "./pruning";
import { datacenters, exclusions, infrastructureOf, leases, orders } from "./records";
import { type Misbehavior, punishMisbehavior } from "./slashing";
import type { KeyValueStore } from "./store";
import { isSuccessor, reopenAfterLoss } from "./succession";
import { type Timer, takeDueTimers } from "./timers";
import { endRedelegation, endUnbonding } from "./unbondings";

/** What the engine says of the validators with a block. */
export interface Conduct {
  /** By what it calls them: those of the set that did not sign the block before. */
  readonly absent: readonly Uint8Array[];
  readonly misbehavior: readonly Misbehavior[];
}

/** Where there is one validator, with a key that stays, as in an embedded network. */
export const noConduct: Conduct = { absent: [], misbehavior: [] };

/**
 * What is due at this height without anybody's transaction: what validators did, handover deadlines and ends of notice,
 * order expiry, ends of roots, exclusions and unbondings, pruning of closed records. Runs before the facilitator's part
 * of the block.
 *
 * design: "Replacing a lease", "Parameters".
 * PERF: O(timers due), at most `timersPerBlock` of each queue; what is left runs in the blocks after. O(validators that
 * did not sign).
 */
export function beginBlock(store: KeyValueStore, context: BlockContext, conduct: Conduct = noConduct): Event[] {
  const events = new EventList();
  const transition: TransitionContext = { chainId: context.chainId, height: context.height, events };
  for (const fault of conduct.misbehavior) punishMisbehavior(store, transition, fault);
  for (const address of conduct.absent) countAbsence(store, transition, address);
  for (const timer of takeDueTimers(store, context.height)) run(store, transition, timer);
  return events.events;
}

/** A timer may be late, or its subject may be gone or changed: each handler looks at what is there now. */
function run(store: KeyValueStore, context: TransitionContext, timer: Timer): void {
  switch (timer.kind) {
    case TimerKind.HANDOVER:
      failHandover(store, context, timer);
      break;
    case TimerKind.NOTICE:
      endNotice(store, context, timer);
      break;
    case TimerKind.ORDER_EXPIRY:
      expireOrder(store, context, timer);
      break;
    case TimerKind.ROOT_END:
      endRoots(store, context, timer);
      break;
    case TimerKind.EXCLUSION_END:
      endExclusion(store, context, timer);
      break;
    case TimerKind.PRUNE_ORDER:
      pruneOrder(store, context, timer.subject);
      break;
    case TimerKind.PRUNE_DEPLOYMENT:
      pruneDeployment(store, context, timer.subject);
      break;
    case TimerKind.UNBONDING_END:
      endUnbonding(store, context, timer);
      break;
    case TimerKind.REDELEGATION_END:
      endRedelegation(store, context, timer);
      break;
    case TimerKind.PRUNE_PROPOSAL:
      pruneProposal(store, timer);
      break;
    default:
      throw new Error(`corrupt state: a timer of kind ${timer.kind}`);
  }
}

/** A successor that has not served within the handover period closes, and the old lease stays. */
function failHandover(store: KeyValueStore, context: TransitionContext, { subject }: Timer): void {
  const lease = leases.get(store, subject);
  if (lease?.state !== LeaseState.ACTIVE || !isSuccessor(lease) || context.height <= lease.handoverDeadline) return;
  closeLease(store, context, subject, CloseReason.HANDOVER_FAILED, "");
}

/** The lease closes, the collateral returns; with `persist` an order opens if nothing has taken its place. */
function endNotice(store: KeyValueStore, context: TransitionContext, { subject }: Timer): void {
  const lease = leases.get(store, subject);
  if (lease?.state !== LeaseState.ACTIVE || lease.noticeEndHeight === 0n) return;
  closeLease(store, context, subject, CloseReason.NOTICE, lease.datacenter);
  reopenAfterLoss(store, context, subject);
}

function expireOrder(store: KeyValueStore, context: TransitionContext, { subject }: Timer): void {
  const order = orders.get(store, subject);
  if (order?.state === OrderState.OPEN) closeOrder(store, context, order, CloseReason.EXPIRED);
}

function endRoots(store: KeyValueStore, context: TransitionContext, timer: Timer): void {
  const datacenter = datacenters.get(store, timer.datacenter);
  if (datacenter === undefined) return;
  const roots = datacenter.roots.filter((root) => root.endHeight === 0n || context.height <= root.endHeight);
  if (roots.length === datacenter.roots.length) return;
  datacenters.put(store, timer.datacenter, { ...datacenter, roots });
  context.events.emit(datacenterChanged(timer.datacenter));
}

/** A later break of the same infrastructure may have moved the end. */
function endExclusion(store: KeyValueStore, context: TransitionContext, timer: Timer): void {
  const id = { infrastructure: infrastructureOf(timer.subject), datacenter: timer.datacenter };
  const exclusion = exclusions.get(store, id);
  if (exclusion !== undefined && exclusion.endHeight < context.height) exclusions.delete(store, id);
}
