import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";

const Step = z.strictObject({
  name: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), z.unknown()).optional(),
  if: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  run: z.string().optional(),
  "working-directory": z.string().optional(),
});
const WorkflowFile = z.looseObject({
  on: z.record(z.string(), z.unknown()),
  env: z.record(z.string(), z.coerce.string()),
  jobs: z.record(z.string(), z.looseObject({ steps: z.array(Step) })),
});

/** What GitHub fills into `${{ … }}`, by the expression. */
export type Context = Readonly<Record<string, string>>;

export interface StepResult {
  readonly step: string;
  readonly code: number;
  readonly output: string;
}

/** A GitHub Actions workflow, of which the shell steps are run as a runner runs them; what it `uses` is left out. */
export class Workflow {
  private constructor(
    private readonly directory: string,
    private readonly file: z.infer<typeof WorkflowFile>,
  ) {}

  static read(directory: string): Workflow {
    const text = readFileSync(join(directory, ".github", "workflows", "dcx.yml"), "utf8");
    return new Workflow(directory, WorkflowFile.parse(parse(text)));
  }

  /** Names of the events that start it. */
  get events(): readonly string[] {
    return Object.keys(this.file.on);
  }

  /**
   * Runs what an event runs, in order. A step that fails ends it, but for those with `always()`.
   * @param skipped names of steps that are not run here
   */
  async run(
    event: string,
    context: Context,
    environment: Readonly<Record<string, string>>,
    skipped: readonly string[],
  ): Promise<readonly StepResult[]> {
    const results: StepResult[] = [];
    for (const step of Object.values(this.file.jobs).flatMap(({ steps }) => steps)) {
      const { name = "", run, env = {} } = step;
      const failed = results.some(({ code }) => code !== 0);
      if (run !== undefined && !skipped.includes(name) && applies(step.if, event, failed)) {
        const variables = { ...filled(this.file.env, context), ...filled(env, context) };
        const cwd = join(this.directory, step["working-directory"] ?? "");
        results.push({ step: name, ...(await shell(run, cwd, { ...environment, ...variables })) });
      }
    }
    return results;
  }
}

/** Of the conditions that the workflow uses; any other one is an error. */
function applies(condition: string | undefined, event: string, failed: boolean): boolean {
  const terms = (condition ?? "").split(" && ").filter((term) => term !== "");
  const holds = terms.every((term) => {
    const wanted = /^github\.event_name == '(\w+)'$/.exec(term)?.[1];
    if (wanted === undefined && term !== "always()") {
      throw new Error(`the condition ${term} is none that this reads`);
    }
    return wanted === undefined || wanted === event;
  });
  return holds && (!failed || terms.includes("always()"));
}

function filled(env: Readonly<Record<string, string>>, context: Context): Record<string, string> {
  const fill = (value: string): string =>
    value.replaceAll(/\$\{\{ *([^}]*?) *\}\}/g, (_, expression: string) => {
      const found = context[expression];
      if (found === undefined) {
        throw new Error(`the workflow asks for ${expression}, which nobody sets`);
      }
      return found;
    });
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)]));
}

/** As a runner does: `bash -e`, a file for each step. */
async function shell(
  script: string,
  cwd: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly output: string }> {
  try {
    const options = { cwd, env: { ...process.env, ...environment }, maxBuffer: 16 * 2 ** 20 };
    const { stdout, stderr } = await promisify(execFile)("bash", ["-e", "-c", script], options);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const failure = z.looseObject({ code: z.number(), stdout: z.string(), stderr: z.string() }).parse(error);
    return { code: failure.code, output: failure.stdout + failure.stderr };
  }
}
