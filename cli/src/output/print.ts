import Table from "cli-table3";
import pc from "picocolors";

/** JSON in which every bigint is a decimal string and bytes are hexadecimal, so that no program loses digits. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) =>
      typeof item === "bigint"
        ? item.toString()
        : item instanceof Uint8Array
          ? Buffer.from(item).toString("hex")
          : isSerializedBuffer(item)
            ? Buffer.from(item.data).toString("hex")
            : item,
    2,
  );
}

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
}

/** A table without lines, for people; says so where there is nothing to show. */
export function toTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], nothing: string): string {
  if (rows.length === 0) {
    return nothing;
  }
  const border = ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"];
  const lines = [...border, "left", "left-mid", "mid", "mid-mid", "right", "right-mid"];
  const table = new Table({
    head: columns.map(({ title }) => pc.bold(title)),
    colAligns: columns.map(({ align }) => align ?? "left"),
    chars: { ...Object.fromEntries(lines.map((line) => [line, ""])), middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => columns.map(({ value }) => value(row))));
  return table.toString().replace(/ +$/gm, "");
}

/** A line on stderr that says what goes on; stdout is for results. */
export function progress(message: string): void {
  process.stderr.write(`${pc.dim(message)}\n`);
}

// JSON.stringify calls Buffer's own toJSON before the replacer sees it.
function isSerializedBuffer(item: unknown): item is { type: "Buffer"; data: number[] } {
  return typeof item === "object" && item !== null && "type" in item && item.type === "Buffer" && "data" in item;
}
