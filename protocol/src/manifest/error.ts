/** What is wrong with one place of a manifest, or of the inputs that it is made of. Never holds a secret's value. */
export interface ManifestIssue {
  /** Such as `workloads.web.ports[0]`; empty: the whole. */
  readonly path: string;
  readonly message: string;
}

/** Everything that is wrong with a manifest or an entry, at once. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  constructor(readonly issues: readonly ManifestIssue[]) {
    const lines = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
    super(
      lines.length === 1 ? lines.join() : `${lines.length} errors:\n${lines.map((line) => `  ${line}`).join("\n")}`,
    );
  }
}

/** Joins what leads to a place: names by dots, indices in brackets. */
export function joinPath(base: string, ...parts: readonly PropertyKey[]): string {
  return parts.reduce<string>((path, part) => {
    if (typeof part === "number") {
      return `${path}[${part}]`;
    }
    return path === "" ? String(part) : `${path}.${String(part)}`;
  }, base);
}
