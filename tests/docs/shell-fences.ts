import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { dcxProgram } from "../../cli/src/program";
import { root } from "../support/root";
import { type Fence, placeOf } from "./fences";

/** Commands of others, whose flags are theirs: that they are called at all is all that is checked. */
const outside = new Set([
  "cd",
  "export",
  "mkdir",
  "cat",
  "curl",
  "git",
  "gh",
  "kubectl",
  "docker",
  "tar",
  "openssl",
  "umask",
]);
const ofNpm = new Set(["start", "stop", "test", "install", "ci", "init", "pack"]);

/** What is wrong with the commands of shell blocks: subcommands and flags that there are not, scripts, files. */
export async function commandErrors(fences: readonly Fence[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const fence of fences) {
    let folder = root;
    for (const words of commandsOf(fence)) {
      const problem = await problemOf(words, folder).catch((error: unknown) => String(error));
      if (problem !== undefined) {
        found.push(`${placeOf(fence)}: ${words.join(" ")}: ${problem}`);
      }
      folder = words[0] === "cd" ? join(folder, words[1] ?? "") : folder;
    }
  }
  return found;
}

async function problemOf(words: readonly string[], folder: string): Promise<string | undefined> {
  const [program = "", ...rest] = words;
  if (program === "dcx") {
    return dcxProblem(rest);
  }
  if (program === "pulumi") {
    return pulumiProblem(rest);
  }
  if (program === "npm") {
    const [verb = "", script = "", dashes, ...passed] = rest;
    if (verb !== "run") {
      return ofNpm.has(verb) ? undefined : `npm ${verb} is none of ${[...ofNpm].join(", ")}`;
    }
    if (scriptsIn(folder)[script] === undefined) {
      return `there is no script ${script}`;
    }
    const through = script === "dcx" || script === "pulumi" ? script : undefined;
    return through === undefined || dashes !== "--" ? undefined : problemOf([through, ...passed], folder);
  }
  if (program === "npx") {
    return existsSync(join(root, "node_modules", ".bin", rest[0] ?? "")) ? undefined : "there is no such command";
  }
  if (program === "node") {
    // What is compiled may not be yet: its source is there.
    const file = (rest[0] ?? "").replace(/(^|\/)dist\/(.*)\.js$/, "$1$2.ts");
    return existsSync(join(folder, file)) ? undefined : "there is no such file";
  }
  return outside.has(program) ? undefined : `nothing knows how to check ${program}`;
}

/** Parses it with the command's own tree; nothing is run. */
async function dcxProblem(words: readonly string[]): Promise<string | undefined> {
  const quiet = (command: Command): Command => {
    command.configureOutput({ writeErr: () => {}, writeOut: () => {} });
    if (command.commands.length === 0) {
      command.action(() => {});
    }
    command.commands.forEach(quiet);
    return command;
  };
  try {
    await quiet(dcxProgram()).parseAsync([...words], { from: "user" });
    return undefined;
  } catch (error) {
    const { code, message } = z.looseObject({ code: z.string().optional(), message: z.string() }).parse(error);
    return code === "commander.version" || code === "commander.helpDisplayed" ? undefined : message;
  }
}

const helps = new Map<string, string>();

function helpOf(path: readonly string[]): string {
  const key = path.join(" ");
  const known =
    helps.get(key) ??
    execFileSync("pulumi", [...path, "--help"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  helps.set(key, known);
  return known;
}

/** By what `pulumi … --help` says of its subcommands and flags. */
function pulumiProblem(words: readonly string[]): string | undefined {
  const path: string[] = [];
  let rest = [...words];
  for (let next = rest[0]; next !== undefined && /^[a-z]/.test(next); next = rest[0]) {
    if (!new RegExp(`^ {2,}${next}[ ,]`, "m").test(helpOf(path)) && !isAlias(path, next)) {
      break;
    }
    path.push(next);
    rest = rest.slice(1);
  }
  if (path.length === 0) {
    return "there is no such subcommand";
  }
  if (path[0] === "do") {
    // Its flags are the named resource's, which the plugin tells.
    return undefined;
  }
  const flags = rest.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*$/, ""));
  const unknown = flags.find((flag) => !new RegExp(`(^|[ ,])${flag}([ ,=\\[]|$)`, "m").test(helpOf(path)));
  return unknown === undefined ? undefined : `pulumi ${path.join(" ")} has no ${unknown}`;
}

/** Whether a subcommand is known by this name too: the list has only its first. */
function isAlias(path: readonly string[], name: string): boolean {
  return /^[a-z-]+$/.test(name) && new RegExp(`^Aliases:\\n.*\\b${name}\\b`, "m").test(helpOf([...path, name]));
}

function scriptsIn(folder: string): Readonly<Record<string, string>> {
  const file = join(folder, "package.json");
  const Package = z.looseObject({ scripts: z.record(z.string(), z.string()).optional() });
  return existsSync(file) ? (Package.parse(JSON.parse(readFileSync(file, "utf8"))).scripts ?? {}) : {};
}

/** The commands of a block as words: comments, prompts and assignments taken off, pipes and lists taken apart. */
function commandsOf({ language, text }: Fence): readonly (readonly string[])[] {
  const inner = [...text.matchAll(/\$\(([^()]+)\)/g)].map(([, command = ""]) => command);
  const lines = [...text.replaceAll("\\\n", " ").split("\n"), ...inner];
  return lines
    .map((line) => (language === "console" ? line.replace(/ {2,}\S.*$/, "") : line))
    .flatMap((line) => splitCommands(line.replace(/^\$ /, "")))
    .map((words) => words.filter((word, index) => index > 0 || !/^[A-Z_]+=/.test(word)))
    .map((words) => (/^[A-Z_]+=/.test(words[0] ?? "") ? words.slice(1) : words))
    .map(withoutRedirections)
    .filter((words) => words.length > 0);
}

function withoutRedirections(words: readonly string[]): readonly string[] {
  return words.filter((word, index) => !/^\d?[<>]/.test(word) && !/^\d?[<>]+$/.test(words[index - 1] ?? ""));
}

/** Words of each command of a line; quotes hold words together, `|`, `&&`, `||` and `;` part commands. */
function splitCommands(line: string): string[][] {
  const commands: string[][] = [[]];
  for (const [token] of line.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'|;&]|&(?!&))+|\|\|?|&&|;/g)) {
    if (/^(\|\|?|&&|;)$/.test(token)) {
      commands.push([]);
    } else if (token.startsWith("#")) {
      break;
    } else {
      commands.at(-1)?.push(token.replaceAll(/["']/g, ""));
    }
  }
  return commands;
}
