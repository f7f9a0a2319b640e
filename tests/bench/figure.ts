import type { Cleanups } from "./cleanups";
import type { Goal, Sample } from "./measure";

/** What a row of the table is about. */
export interface Subject {
  readonly name: string;
  /** Of value and reference. */
  readonly unit: "ms" | "blocks" | "MB" | "MiB/s" | "1/s" | "transactions/CPU-s" | "transactions/s";
  /** What the reference is. */
  readonly against: string;
  /** Absent: the row is there to be read, and meets whatever it comes to. */
  readonly goal?: Goal;
}

/** One row: measured, or why not. A row that could not be measured meets nothing. */
export interface Figure extends Subject {
  readonly outcome: Sample | { readonly why: string };
  /** What a reader has to know to judge it, where the table's own words do not say it. */
  readonly remark?: string;
}

export interface Settings {
  /** Resources of the programs that are previewed and applied. */
  readonly resources: readonly number[];
  /** Open orders among which one changes. */
  readonly orders: readonly number[];
  /** Whether rows that take many minutes are measured too. */
  readonly long: boolean;
  /** A line that says what goes on. */
  readonly log: (line: string) => void;
  /** For processes and folders that must not be left behind. */
  readonly cleanups: Cleanups;
}

/** What one file of rows measures. */
export interface Bench {
  /** Names of its rows under these settings, in their order. */
  names(settings: Settings): readonly string[];
  /** Measures the rows that are wanted, and yields them as they come. */
  run(settings: Settings, wanted: (name: string) => boolean): AsyncIterable<Figure>;
}

/** The row of something that could not be measured, with the reason in one line. */
export function notMeasured(subject: Subject, error: unknown): Figure {
  const message = error instanceof Error ? error.message : String(error);
  return { ...subject, outcome: { why: message.split("\n", 1)[0] ?? message } };
}
