import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../support/root";

export const policyPack = join(root, "examples", "gitops", "policies");

/** `npm run build` of the policy pack, with the compiler of the checkout. */
export function compilePolicies(): void {
  execFileSync(process.execPath, [join(root, "node_modules", "typescript-native", "bin", "tsc"), "-p", policyPack]);
}
