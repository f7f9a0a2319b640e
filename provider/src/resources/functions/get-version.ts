import { buildManifest, entryDigest, entryKey, ManifestError } from "@dcx/protocol";
import { NetworkError } from "../../network/driver";
import { sealManifest } from "../../plan/manifest";
import { Secret, type ValueMap } from "../../wire/value";
import { deploymentFields } from "../inputs/deployment-shapes";
import { plainEntries } from "../inputs/manifest-entries";
import { containsSecret, text, withoutMarks } from "../inputs/shape";
import { InvalidArguments } from "../resource";
import type { Session } from "../session";
import type { ProviderFunctionRules } from "./arguments";
import { deploymentArgument, presentIdentity, recordsFields } from "./deployment-argument";

const hex = text((value) => {
  if (!/^[0-9a-f]{64}$/.test(value)) {
    throw new Error("must be 64 hexadecimal digits in lower case");
  }
  return value;
});

const token = "dcx:index:getVersion";

/**
 * The version that a manifest has in a deployment: the hash that the chain keeps and holders are checked against. It is
 * salted, so the same workloads have another version in each deployment: the salt follows from the tenant's key, the
 * deployment's client token and its nonce. They are read from the chain by `deploymentId`, or given; with the salt itself
 * neither a key nor a network is needed.
 */
export const getVersion: ProviderFunctionRules = {
  token,
  fields: {
    ...pick(deploymentFields, ["workloads", "connections"]),
    ...pick(recordsFields, ["deploymentId"]),
    clientToken: { shape: hex },
    nonce: { shape: hex },
    salt: { shape: hex },
  },
  whole(args) {
    const ways = [args["deploymentId"], args["clientToken"] ?? args["nonce"], args["salt"]];
    if (ways.filter((way) => way !== undefined).length !== 1) {
      return "name either deploymentId, or clientToken and nonce, or salt: without, no version can be told";
    }
    return (args["clientToken"] === undefined) === (args["nonce"] === undefined)
      ? undefined
      : "clientToken/nonce: both are needed";
  },
  async answer(session, args, { signal }): Promise<ValueMap> {
    const salt = await saltOf(session, args, signal);
    const { workloads, connections } = args;
    try {
      const manifest = buildManifest({
        salt,
        workloads: plainEntries(workloads),
        connections: plainEntries(connections),
      });
      const { version, entries } = sealManifest(manifest, {});
      const digests = (kind: "workloads" | "connections"): ValueMap =>
        Object.fromEntries(
          Object.entries(manifest[kind]).map(([name, entry]) => [name, entryDigest(salt, entryKey(kind, name), entry)]),
        );
      return {
        version,
        manifestEntries: entries,
        workloads: digests("workloads"),
        connections: digests("connections"),
      };
    } catch (error) {
      if (!(error instanceof ManifestError)) {
        throw error;
      }
      const secret = containsSecret(workloads) || containsSecret(connections);
      throw new InvalidArguments(
        token,
        error.issues.map(({ path, message }) => ({
          property: secret ? "" : (/^\w+/.exec(path)?.[0] ?? ""),
          reason: `${path}: ${message}`,
        })),
      );
    }
  },
};

async function saltOf(session: Session, args: ValueMap, signal: AbortSignal): Promise<string> {
  const { deploymentId, clientToken, nonce, salt } = args;
  if (salt !== undefined) {
    return String(salt instanceof Secret ? withoutMarks(salt) : salt);
  }
  if (typeof clientToken === "string" && typeof nonce === "string") {
    return session.driver.manifestSalt(clientToken, nonce, signal);
  }
  const key = await deploymentArgument(session, String(deploymentId), signal);
  const { tenant } = await presentIdentity(session, signal);
  if (tenant !== key.tenant) {
    throw new NetworkError(
      "invalid",
      `Only the tenant ${key.tenant} can tell versions of its deployment: their salt follows from its key, and the ` +
        `configured account is ${tenant}. Configure that account, or give the salt.`,
    );
  }
  const { deployment } = await session.existing(key, signal);
  return session.driver.manifestSalt(deployment.clientToken, deployment.nonce, signal);
}

function pick<T>(fields: Readonly<Record<string, T>>, names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
}
