import { type OrderId, TimerKind, TimerRecord } from "@dcx/protocol";
import { encode } from "../encode";
import { orderKey, readUint64, tables, textKey, uint64Key } from "./keys";
import { present } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";

export interface Timer {
  readonly kind: TimerKind;
  /** The order, or the lease of that id; parts that a kind doesn't need are empty. */
  readonly subject: OrderId;
  readonly datacenter: string;
}

/** Kinds on which somebody's money or service waits; the others are housekeeping and can't hold them up. */
const prompt: readonly TimerKind[] = [
  TimerKind.HANDOVER,
  TimerKind.NOTICE,
  TimerKind.ROOT_END,
  TimerKind.UNBONDING_END,
];

/** Most timers of each of the two queues in one block: the rest runs in the blocks after. */
const timersPerBlock = 500;

export const noOrder: OrderId = { tenant: "", sequence: 0n, infrastructure: "", generation: 0 };

export function leaseTimer(kind: TimerKind.HANDOVER | TimerKind.NOTICE, lease: OrderId): Timer {
  return { kind, subject: lease, datacenter: "" };
}

export function orderTimer(kind: TimerKind.ORDER_EXPIRY | TimerKind.PRUNE_ORDER, order: OrderId): Timer {
  return { kind, subject: order, datacenter: "" };
}

/** Of what an account has under a number: an unbonding, a redelegation (by their validator), a proposal. */
export function numberedTimer(
  kind: TimerKind.UNBONDING_END | TimerKind.REDELEGATION_END | TimerKind.PRUNE_PROPOSAL,
  account: string,
  id: bigint,
): Timer {
  return { kind, subject: { ...noOrder, tenant: account, sequence: id }, datacenter: "" };
}

function timerKey(height: bigint, timer: Timer): string {
  const table = prompt.includes(timer.kind) ? tables.timer : tables.housekeeping;
  const subject = orderKey(timer.subject) + textKey(timer.datacenter);
  return table + uint64Key(height) + String.fromCharCode(timer.kind) + subject;
}

/** Has the timer run at the beginning of the block of that height. Setting the same one twice sets it once. */
export function setTimer(store: KeyValueStore, height: bigint, timer: Timer): void {
  store.set(timerKey(height, timer), encode(TimerRecord, { ...timer }));
}

export function clearTimer(store: KeyValueStore, height: bigint, timer: Timer): void {
  store.delete(timerKey(height, timer));
}

/** Takes the timers that are due at this height, the earliest first, up to the bound of each queue. */
export function takeDueTimers(store: KeyValueStore, height: bigint): Timer[] {
  return [tables.timer, tables.housekeeping].flatMap((table) => {
    const due = [...store.range(table, table + uint64Key(height + 1n), { limit: timersPerBlock })];
    return due.map(([key, value]) => {
      store.delete(key);
      const record = TimerRecord.decode(value);
      return { ...record, subject: present(record.subject, "subject of a timer") };
    });
  });
}

/** The height of the first timer, if there is one: until then an empty block would change nothing here. */
export function nextTimerHeight(store: KeyValueReader): bigint | undefined {
  let next: bigint | undefined;
  for (const table of [tables.timer, tables.housekeeping])
    for (const [key] of store.range(table, `${table}\xff`, { limit: 1 })) {
      const height = readUint64(key, table.length);
      if (next === undefined || height < next) next = height;
    }
  return next;
}
