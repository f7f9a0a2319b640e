import { styleText } from "node:util";
import type { Figure } from "./figure";
import { verdictOf } from "./measure";

/** A row for programs. `value`, `reference` and `ratio` are null where it was not measured, and `why` says the reason. */
export interface JsonFigure {
  readonly name: string;
  readonly value: number | null;
  readonly reference: number | null;
  readonly ratio: number | null;
  /** Aim, gate and `better` are null where the row has no goal. */
  readonly aim: number | null;
  readonly gate: number | null;
  /** Whether the gate is. */
  readonly met: boolean;
  readonly better: "lower" | "higher" | null;
  readonly unit: string;
  readonly against: string;
  readonly why?: string;
  readonly remark?: string;
}

export function toJson({ name, unit, against, goal, outcome, remark }: Figure): JsonFigure {
  const measured = "ratio" in outcome ? outcome : undefined;
  return {
    name,
    value: measured?.value ?? null,
    reference: measured?.reference ?? null,
    ratio: measured?.ratio ?? null,
    aim: goal?.aim ?? null,
    gate: goal?.gate ?? null,
    met: measured !== undefined && (goal === undefined || verdictOf(goal, measured.ratio) !== "missed"),
    better: goal?.better ?? null,
    unit,
    against,
    ...("why" in outcome ? { why: outcome.why } : {}),
    ...(remark === undefined ? {} : { remark }),
  };
}

const verdicts = { aim: "aim met", gate: "gate met", missed: "missed", none: "" } as const;
const headings = ["what", "value", "reference", "ratio", "aim", "gate", ""] as const;

/** The table for people, with a line below a row for what it was measured against. `color`: whether it may be coloured. */
export function toTable(figures: readonly Figure[], color: boolean): string {
  const rows = figures.map(cells);
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row.cells[column]?.length ?? 0)),
  );
  const line = (parts: readonly string[]): string =>
    parts
      .map((part, column) => (column === 0 ? part.padEnd(widths[column] ?? 0) : part.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  const style = (format: "dim" | "green" | "yellow" | "red", text: string): string =>
    color ? styleText(format, text, { validateStream: false }) : text;
  return [
    style("dim", line(headings)),
    ...rows.flatMap(({ cells, format, notes }) => [
      style(format, line(cells)),
      ...notes.map((note) => style("dim", `  ${note}`)),
    ]),
  ].join("\n");
}

/** The cells of a row, without what it was measured against: under `headings`. */
export function cellsOf(figure: Figure): readonly string[] {
  return cells(figure).cells;
}

function cells({ name, unit, against, goal, outcome, remark }: Figure): {
  readonly cells: readonly string[];
  readonly format: "green" | "yellow" | "red";
  readonly notes: readonly string[];
} {
  const sign = goal?.better === "lower" ? "≤" : "≥";
  const goals = goal === undefined ? ["", ""] : [`${sign} ${goal.aim}`, `${sign} ${goal.gate}`];
  const notes = [`against ${against}`, ...(remark === undefined ? [] : [remark])];
  if ("why" in outcome) {
    return {
      cells: [name, "", "", "", ...goals, "not measured"],
      format: "red",
      notes: [...notes, `not measured: ${outcome.why}`],
    };
  }
  const verdict = goal === undefined ? "none" : verdictOf(goal, outcome.ratio);
  return {
    cells: [
      name,
      `${rounded(outcome.value)} ${unit}`,
      `${rounded(outcome.reference)} ${unit}`,
      outcome.ratio.toFixed(2),
      ...goals,
      verdicts[verdict],
    ],
    format: verdict === "gate" ? "yellow" : verdict === "missed" ? "red" : "green",
    notes,
  };
}

/** Three digits that count. */
function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
