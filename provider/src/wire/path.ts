/** One step of a property path: the key of a map or the index of a list. */
export type PathStep = string | number;

/**
 * A path as the engine writes and reads it: `infrastructures.west.resources[0]`, `environment["LOG.LEVEL"]`.
 * Rule: pulumi/pulumi sdk/go/common/resource/properties_path.go.
 */
export function formatPath(steps: readonly PathStep[]): string {
  return steps.reduce<string>(appendKey, "");
}

/** The path of an entry of what lies at `path`, which is "" for the whole. */
export function appendKey(path: string, step: PathStep): string {
  if (typeof step === "number") {
    return `${path}[${step}]`;
  }
  if (!/^\w+$/.test(step)) {
    return `${path}["${step.replaceAll('"', '\\"')}"]`;
  }
  return path === "" ? step : `${path}.${step}`;
}

/** The first step of a path: the top-level property that it lies in. */
export function rootOf(path: string): string {
  const quoted = /^\["((?:\\"|[^"])*)"\]/.exec(path)?.[1];
  return quoted === undefined ? (/^[^.[]*/.exec(path)?.[0] ?? "") : quoted.replaceAll('\\"', '"');
}

/** The steps of a path that `formatPath` wrote. */
export function parsePath(path: string): readonly PathStep[] {
  const steps: PathStep[] = [];
  for (const [, quoted, index, key] of path.matchAll(/\["((?:\\"|[^"])*)"\]|\[(\d+)\]|\.?([^.[]+)/g)) {
    if (quoted !== undefined) {
      steps.push(quoted.replaceAll('\\"', '"'));
    } else {
      steps.push(index === undefined ? (key ?? "") : Number(index));
    }
  }
  return steps;
}
