import type { Timestamp } from "cosmjs-types/google/protobuf/timestamp";

/** Milliseconds since 1970 as a block carries them. */
export function timestampOf(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: (milliseconds - seconds * 1000) * 1_000_000 };
}

/** Milliseconds since 1970. */
export function millisecondsOf(timestamp: Timestamp): number {
  return Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1_000_000);
}

/** RFC 3339 with nanoseconds, as CometBFT's JSON has it. */
export function formatTimestamp(timestamp: Timestamp): string {
  // Go's zero time, for what has none.
  if (timestamp.seconds === 0n && timestamp.nanos === 0) return "0001-01-01T00:00:00Z";
  const whole = new Date(Number(timestamp.seconds) * 1000).toISOString().slice(0, 19);
  const fraction = timestamp.nanos.toString().padStart(9, "0").replace(/0+$/, "");
  return fraction === "" ? `${whole}Z` : `${whole}.${fraction}Z`;
}
