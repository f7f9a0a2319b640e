import { type ApplicationFileOptions, parseApplicationFile } from "../application-file";
import { resolveConfiguration } from "../configuration/resolve";
import { configuredDriver } from "../network/configured";
import { renderReport } from "../plan/render";
import type { PlanReport } from "../plan/report";
import { lazyTagResolver } from "../resources";
import { Session } from "../resources/session";
import { Secret, type ValueMap } from "../wire/value";
import { changesAnything, planOn } from "./plan-on";

export interface FilePlan {
  readonly report: PlanReport;
  /** For people, as a preview prints it. */
  readonly text: string;
  readonly changes: boolean;
}

export interface FilePlanOptions {
  /** How messages call the file. */
  readonly file: string;
  /** By name. Taken for secret: no message quotes them. */
  readonly variables: Readonly<Record<string, string>>;
  /** Id of the deployment to compare with; absent: a new one. */
  readonly deployment: string | undefined;
  /** Where the network and who deploys are configured, as for the plugin. */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/**
 * The plan of an application file on the configured network. Without a signer it goes as far as it can, and says so among
 * the report's notes.
 * @throws {ApplicationFileError} {ConfigurationError} {PlanRefused} {NetworkError}
 */
export async function planFile(text: string, options: FilePlanOptions): Promise<FilePlan> {
  const { file, deployment, environment, signal } = options;
  const variables: ValueMap = Object.fromEntries(
    Object.entries(options.variables).map(([name, value]) => [name, new Secret(value)]),
  );
  const parsing: ApplicationFileOptions = { file, variables };
  const { inputs } = parseApplicationFile(text, parsing);
  const configuration = resolveConfiguration({}, environment, "signer-optional");
  const driver = configuredDriver(configuration, environment);
  try {
    const settings = { ...configuration, timeout: configuration.timeouts.create, images: lazyTagResolver() };
    const session = new Session(driver, settings);
    const report = await planOn(session, inputs, deployment, signal);
    return { report, text: textOf(report), changes: changesAnything(report) };
  } finally {
    await driver.close();
  }
}

const SIGNS: Readonly<Record<string, string>> = { add: "+", delete: "-", update: "~" };

function textOf(report: PlanReport): string {
  const { changes, deployment } = report;
  const text = renderReport(report);
  if (deployment !== null && !changesAnything(report)) {
    const [headline = ""] = text.split("\n");
    return [headline, "no changes: it is as the file says", ...report.notes].join("\n");
  }
  const paths = changes.map(({ path, kind }) => ` ${SIGNS[kind] ?? "~"} ${path}`);
  return [...paths, ...(paths.length === 0 ? [] : [""]), text].join("\n");
}
