import { inspect } from "node:util";
import { type KeySigner, signerFromMnemonic, signerFromPrivateKey } from "../signer/account-signer";
import {
  encodeStatement,
  type SignedStatement,
  type StatementClaims,
  type StatementExpectation,
  signStatement,
  verifyStatement,
} from "./statement";

const now = Date.UTC(2026, 0, 1);
const clientKey = "ab".repeat(32);
let tenant: KeySigner;
let claims: StatementClaims;
let expected: StatementExpectation;

beforeAll(async () => {
  tenant = await signerFromPrivateKey("11".repeat(32));
  claims = {
    chainId: "dcx-test",
    account: tenant.address,
    tenant: tenant.address,
    sequence: "3",
    clientKey,
    datacenter: "dcx1datacenter",
    purpose: "manage",
    expires: now / 1000 + 3600,
  };
  expected = {
    chainId: "dcx-test",
    datacenter: "dcx1datacenter",
    tenant: tenant.address,
    sequence: 3n,
    clientKey,
    purpose: "manage",
    now,
    addressPrefix: "dcx",
  };
});

async function refusal(header: string, changes: Partial<StatementExpectation> = {}): Promise<string> {
  const verdict = await verifyStatement(header, { ...expected, ...changes });
  return verdict.valid ? "accepted" : verdict.reason;
}

async function signed(changes: Partial<StatementClaims> = {}): Promise<SignedStatement> {
  return signStatement(tenant, { ...claims, ...changes });
}

describe("a statement", () => {
  it("is accepted as it was signed", async () => {
    await expect(verifyStatement(encodeStatement(await signed()), expected)).resolves.toEqual({
      valid: true,
      account: tenant.address,
      expires: claims.expires,
    });
  });

  it.each([
    ["chain", { chainId: "dcx-other" }],
    ["datacenter", { datacenter: "dcx1other" }],
    ["deployment", { sequence: 4n }],
    ["deployment", { tenant: "dcx1other" }],
    ["client-key", { clientKey: "cd".repeat(32) }],
    ["expired", { now: now + 3_601_000 }],
    ["too-long", { now: now - 24 * 3_600_000 }],
    ["account", { addressPrefix: "cosmos" }],
  ])("is refused for %s where %j is expected", async (reason, changes) => {
    expect(await refusal(encodeStatement(await signed()), changes)).toBe(reason);
  });

  it.each([
    ["the expiry", { expires: now / 1000 + 7200 }],
    ["the purpose", { purpose: "manage" as const }],
  ])("is refused when %s was changed after it was signed", async (_what, changes) => {
    const statement = await signed({ purpose: "observe", expires: now / 1000 + 60 });
    const tampered = { ...statement, claims: { ...statement.claims, ...changes } };
    expect(await refusal(encodeStatement(tampered), { purpose: "observe" })).toBe("signature");
  });

  it("is refused when another key signed for the account", async () => {
    const other = await signerFromPrivateKey("22".repeat(32));
    const forged = await signStatement(other, { ...claims, account: other.address });
    const statement = { ...forged, claims };
    expect(await refusal(encodeStatement(statement))).toBe("account");
    const { publicKey } = await signed();
    expect(await refusal(encodeStatement({ ...statement, publicKey }))).toBe("signature");
  });

  it("that allows to observe does not allow to manage, and the other way round it does", async () => {
    expect(await refusal(encodeStatement(await signed({ purpose: "observe" })))).toBe("purpose");
    expect(await refusal(encodeStatement(await signed()), { purpose: "observe" })).toBe("accepted");
  });

  it.each(["", "e30", "!!", "A".repeat(10_000)])(
    "is refused as malformed when the header is garbage",
    async (header) => {
      expect(await refusal(header)).toBe("malformed");
    },
  );

  it("is not signed for an account that the signer does not hold", async () => {
    await expect(signStatement(tenant, { ...claims, account: "dcx1other" })).rejects.toThrow();
  });
});

describe("a signer", () => {
  it("has the account that every Cosmos wallet derives from the mnemonic", async () => {
    const mnemonic =
      "economy stock theory fatal elder harbor betray wasp final emotion task crumble siren bottom lizard educate guess current outdoor pair theory focus wife stone";
    const signer = await signerFromMnemonic(mnemonic, { addressPrefix: "cosmos" });
    expect(signer.address).toBe("cosmos1pkptre7fdkl6gfrzlesjjvhxhlc3r4gmmk8rs6");
  });

  it("never shows its key", async () => {
    const key = "1234567890abcdef".repeat(4);
    const signer = await signerFromPrivateKey(key);
    const bytes = Buffer.from(key, "hex");
    for (const shown of [inspect(signer, { depth: 9, showHidden: true }), JSON.stringify(signer)]) {
      expect(shown).not.toContain(key);
      expect(shown).not.toContain(bytes.toString("base64"));
      expect(shown).not.toContain([...bytes.subarray(0, 4)].join(", "));
    }
    await expect(signerFromPrivateKey(`${key}zz`)).rejects.toThrow(/^(?!.*1234).*private key is none/);
    await expect(signerFromMnemonic("abandon secret words")).rejects.toThrow(/^(?!.*secret).*mnemonic is none/);
  });

  it("derives a secret for each purpose, the same each time", async () => {
    const again = await signerFromPrivateKey("11".repeat(32));
    expect(again.deriveSecret("a")).toEqual(tenant.deriveSecret("a"));
    expect(again.deriveSecret("a")).not.toEqual(tenant.deriveSecret("b"));
    expect(tenant.deriveSecret("a")).toHaveLength(32);
  });
});
