import {
  buildManifest,
  costPerMonth,
  entryKey,
  formatTokens,
  type Manifest,
  ManifestError,
  parseTokens,
} from "@dcx/protocol";
import { slotProblems } from "../../plan/manifest";
import { highestRate } from "../../plan/plan-deployment";
import type { ValueMap } from "../../wire/value";
import { deploymentFields } from "../inputs/deployment-shapes";
import { desiredInfrastructures } from "../inputs/desired";
import { plainEntries } from "../inputs/manifest-entries";
import { containsSecret, containsUnknown, isMap, normalizeFields, Problems } from "../inputs/shape";
import type { CallContext, CheckRequest, CheckResult } from "../resource";
import type { Session } from "../session";
import { withMinimumIsolation } from "./minimum-isolation";

/** Any salt does where only the shape of a manifest matters. */
const ANY_SALT = "0".repeat(64);

/** Normal inputs, or everything that is wrong with them, before anything is sent anywhere. */
export async function checkDeployment(
  session: Session,
  request: CheckRequest,
  context: CallContext,
): Promise<CheckResult> {
  const problems = new Problems();
  const normal = normalizeFields(request.inputs, deploymentFields, "", problems);
  const inputs = withMinimumIsolation(normal, session.settings.minimumIsolation, problems);
  if (problems.failures.length === 0) {
    checkInfrastructures(inputs, problems);
    const parameters = await session.parameters(context.signal);
    const known = !containsUnknown(inputs["infrastructures"]);
    const terms = known ? desiredInfrastructures(inputs, parameters) : undefined;
    checkEntries(inputs, terms, problems);
    if (terms !== undefined) {
      const rate = Object.values(terms).reduce((sum, one) => sum + highestRate(one), 0n);
      const most = costPerMonth(rate, parameters.blockInterval);
      checkCost(inputs, most, problems);
      const excess = session.spending.declare(context.urn, most);
      if (excess !== undefined) {
        problems.addToAll(excess);
      }
    }
  }
  session.declarations.declare(context.urn, undefined, entryNames(inputs));
  return { inputs, failures: problems.failures };
}

function entryNames(inputs: ValueMap): readonly string[] {
  const { workloads, connections } = inputs;
  return [
    ...(isMap(workloads) ? Object.keys(workloads).map((name) => entryKey("workloads", name)) : []),
    ...(isMap(connections) ? Object.keys(connections).map((name) => entryKey("connections", name)) : []),
  ];
}

export function checkInfrastructures(inputs: ValueMap, problems: Problems): void {
  const { infrastructures } = inputs;
  if (isMap(infrastructures) && Object.keys(infrastructures).length === 0) {
    problems.add("infrastructures", "must name at least one");
  }
}

/** What inline workloads and connections say of one another, and whether every workload has its slots. */
export function checkEntries(
  inputs: ValueMap,
  terms: ReturnType<typeof desiredInfrastructures> | undefined,
  problems: Problems,
): void {
  const manifest = manifestAsFarAsKnown(inputs, terms, problems);
  if (manifest === undefined || terms === undefined) {
    return;
  }
  for (const { path, message } of slotProblems(manifest.workloads, terms)) {
    problems.add(path, message);
  }
}

function manifestAsFarAsKnown(
  inputs: ValueMap,
  terms: ReturnType<typeof desiredInfrastructures> | undefined,
  problems: Problems,
): Manifest | undefined {
  const { workloads, connections } = inputs;
  if (containsUnknown(workloads) || containsUnknown(connections)) {
    // Checked once all of it is known.
    return undefined;
  }
  try {
    return buildManifest({
      salt: ANY_SALT,
      workloads: plainEntries(workloads),
      connections: plainEntries(connections),
      ...(terms === undefined ? {} : { infrastructures: Object.keys(terms) }),
    });
  } catch (error) {
    if (!(error instanceof ManifestError)) {
      throw error;
    }
    const secret = containsSecret(workloads) || containsSecret(connections);
    for (const { path, message } of error.issues) {
      if (secret) {
        problems.inSecret(() => problems.add(path, message));
      } else {
        problems.add(path, message);
      }
    }
    return undefined;
  }
}

/** @param most micro-units a month */
function checkCost(inputs: ValueMap, most: bigint, problems: Problems): void {
  const limit = inputs["maxCostPerMonth"];
  if (typeof limit !== "string") {
    return;
  }
  if (most > parseTokens(limit)) {
    problems.add(
      "maxCostPerMonth",
      `is ${limit}, and these infrastructures cost up to ${formatTokens(most)} a month at their maximum prices; ` +
        "lower a maxPrice or a count, or raise it",
    );
  }
}
