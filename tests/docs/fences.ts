import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "../support/root";

/** A fenced block of a page. */
export interface Fence {
  /** Path from the root of the checkout. */
  readonly page: string;
  /** Of the first line of its text, from 1. */
  readonly line: number;
  /** The first word after the backticks; "" where there is none. */
  readonly language: string;
  /** Belongs to the block of the same language before it on this page. */
  readonly continues: boolean;
  /** Why nothing checks it; undefined: something does. */
  readonly unchecked: string | undefined;
  readonly text: string;
}

/**
 * The fenced blocks of a page. What follows the language says how a block is checked: nothing: by itself; `continues`:
 * together with what came before it; `unchecked: <reason>`: not at all.
 */
export function fencesOf(page: string, markdown: string): readonly Fence[] {
  const fences: Fence[] = [];
  const lines = markdown.split("\n");
  for (let index = 0; index < lines.length; index++) {
    const [, indent, marks, language, rest] = /^( *)(`{3,})([^\s`]*)\s*(.*)$/.exec(lines[index] ?? "") ?? [];
    if (indent === undefined || marks === undefined) {
      continue;
    }
    const end = lines.findIndex((line, at) => at > index && line.trim() === marks);
    if (end === -1) {
      throw new Error(`${page}:${index + 1}: this block does not end`);
    }
    const text = lines
      .slice(index + 1, end)
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    fences.push({
      page,
      line: index + 2,
      language: language ?? "",
      continues: rest === "continues",
      unchecked: /^unchecked: *(.*)$/.exec(rest ?? "")?.[1],
      text: text.join("\n"),
    });
    index = end;
  }
  return fences;
}

/** The pages that people read: README and its like, and all of docs/ and examples/. */
export function pages(): readonly { readonly page: string; readonly markdown: string }[] {
  const found = ["README.md", "CONTRIBUTING.md", ...below("docs"), ...below("examples")];
  return found.map((page) => ({ page, markdown: readFileSync(join(root, page), "utf8") }));
}

function below(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((page) => !page.includes("node_modules"))
    .sort();
}

export function placeOf(fence: Fence): string {
  return `${fence.page}:${fence.line}`;
}

/**
 * Blocks of some languages with what they continue: for each block, the texts to check together, in order.
 * @throws Error where a block continues nothing
 */
export function chains(fences: readonly Fence[], languages: readonly string[]): readonly (readonly Fence[])[] {
  const found: (readonly Fence[])[] = [];
  for (const fence of fences.filter(
    ({ language, unchecked }) => languages.includes(language) && unchecked === undefined,
  )) {
    const before = found.at(-1);
    if (!fence.continues) {
      found.push([fence]);
    } else if (before?.[0]?.page === fence.page) {
      found.push([...before, fence]);
    } else {
      throw new Error(`${placeOf(fence)}: there is nothing on this page that it could continue`);
    }
  }
  return found;
}
