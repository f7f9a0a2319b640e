import { cpus } from "node:os";
import { join } from "node:path";
import { root } from "../support/root";
import type { Figure } from "./figure";
import { cellsOf } from "./report";

/** The page of the manual whose figures `--write` replaces. */
export const benchmarksPage = join(root, "docs", "benchmarks.md");

const [begin, end] = ["<!-- figures -->", "<!-- end of figures -->"] as const;
const headings = ["what", "value", "reference", "ratio", "aim", "gate", "verdict", "measured"] as const;

type Row = readonly string[];

/**
 * The page with these figures in its table: each takes the place of what an earlier run has written of the same row, and
 * rows that were not measured this time stay.
 *
 * @param order names of rows as the table is to have them; other sizes come behind them
 * @param where and when they were measured
 * @throws Error where the page has no place for figures
 */
export function withFigures(page: string, figures: readonly Figure[], order: readonly string[], where: string): string {
  const rows = new Map(rowsOf(page).map((row): [string, Row] => [row[0] ?? "", row]));
  for (const figure of figures) {
    rows.set(figure.name, [...cellsOf(figure), where]);
  }
  const found = [...new Set([...order, ...rows.keys()])].flatMap((name) => {
    const row = rows.get(name);
    return row === undefined ? [] : [row];
  });
  const lines = [headings, headings.map(() => "---"), ...found].map((row) => `| ${row.join(" | ")} |`);
  const [from, to] = placeIn(page);
  return `${page.slice(0, from)}\n\n${lines.join("\n")}\n\n${page.slice(to)}`;
}

/** The rows of figures that a page has. @throws Error where it has no place for them */
export function rowsOf(page: string): readonly Row[] {
  return page
    .slice(...placeIn(page))
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.slice(2, -2).split(" | "))
    .slice(2);
}

/** From behind the line that begins the figures to the one that ends them. */
function placeIn(page: string): readonly [from: number, to: number] {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) {
    throw new Error(`the page has no place for figures: the lines ${begin} and ${end}`);
  }
  return [from + begin.length, to];
}

/**
 * This machine, as far as it matters to a ratio, and the day.
 * @param load processes that ran or waited for a processor before the benchmark did (`os.loadavg`)
 */
export function hereAndNow(load: number): string {
  const [first] = cpus();
  const day = new Date().toISOString().slice(0, 10);
  const machine = `${cpus().length} × ${first?.model.trim() ?? "unknown processor"}`;
  return `${day}, Node.js ${process.versions.node}, ${machine}, load ${load.toFixed(1)} before it`;
}
