import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { openSigner } from "@dcx/protocol";
import { keysCommand } from "./keys";

const key = "0123456789abcdef".repeat(4);
const password = "correct horse battery";
let folder: string;
let printed: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dcx-keys-"));
  printed = "";
  process.env["DCX_KEY_FILE_PASSWORD"] = password;
  jest.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    printed += String(chunk);
    return true;
  });
  jest.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  jest.restoreAllMocks();
  delete process.env["DCX_KEY_FILE_PASSWORD"];
  rmSync(folder, { recursive: true, force: true });
});

/** What it printed. */
async function keys(...command: readonly string[]): Promise<string> {
  printed = "";
  await keysCommand().parseAsync([...command], { from: "user" });
  return printed.trim();
}

function standardInput(content: string): void {
  const stdin = Readable.from([Buffer.from(content)]);
  jest.spyOn(process, "stdin", "get").mockReturnValue(Object.assign(stdin, { isTTY: false }) as never);
}

const at = (name: string) => join(folder, name);

test("a new key is encrypted, for its owner alone, and only its address is printed", async () => {
  const address = await keys("new", "--file", at("new.age"));
  expect(address).toMatch(/^dcx1[a-z0-9]{38}$/);
  expect(readFileSync(at("new.age"), "utf8")).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----/);
  expect(statSync(at("new.age")).mode & 0o777).toBe(0o600);
  expect(await keys("address", "--file", at("new.age"))).toBe(address);
  const choice = { kind: "keyFile", path: at("new.age"), password, passwordCommand: undefined } as const;
  expect((await openSigner(choice, { addressPrefix: "dcx", environment: {} })).address).toBe(address);
});

test("a key that is there is never written over", async () => {
  writeFileSync(at("there"), key);
  await expect(keys("new", "--file", at("there"))).rejects.toThrow(/is there already/);
  expect(readFileSync(at("there"), "utf8")).toBe(key);
});

test("a file in clear is encrypted to another, and is the same key", async () => {
  writeFileSync(at("plain"), `${key}\n`);
  const address = await keys("address", "--file", at("plain"));
  expect(await keys("encrypt", "--file", at("plain"), "--to", at("plain.age"))).toBe(address);
  expect(readFileSync(at("plain.age"), "utf8")).not.toContain(key);
  expect(await keys("address", "--file", at("plain.age"))).toBe(address);
});

test("a key is imported from standard input, and revealed only where that is asked for", async () => {
  standardInput(`0x${key}\n`);
  await keys("import", "--file", at("imported"));
  await expect(keys("reveal", "--file", at("imported"))).rejects.toThrow(/Say --yes/);
  expect(printed).toBe("");
  expect(await keys("reveal", "--file", at("imported"), "--yes")).toBe(key);
  standardInput("hush hush");
  await expect(keys("import", "--file", at("other"))).rejects.toThrow(/^(?!.*hush).*That is no key/);
});

test("without a password and a terminal nothing is written, unless it is asked for in clear", async () => {
  delete process.env["DCX_KEY_FILE_PASSWORD"];
  standardInput("");
  await expect(keys("new", "--file", at("bare"))).rejects.toThrow(/set DCX_KEY_FILE_PASSWORD/);
  expect(await keys("new", "--file", at("bare"), "--no-password")).toMatch(/^dcx1/);
  expect(statSync(at("bare")).mode & 0o777).toBe(0o600);
});

test("requests of the external signers' protocol are answered, for the chains that were named", async () => {
  writeFileSync(at("plain"), key);
  standardInput(JSON.stringify({ dcxSigner: 1, operation: "account", addressPrefix: "dcx" }));
  const { publicKey } = JSON.parse(await keys("sign", "--file", at("plain"))) as { publicKey: string };
  expect(Buffer.from(publicKey, "base64")).toHaveLength(33);
  const request = { dcxSigner: 1, operation: "sign-transaction", address: "dcx1x", chainId: "other", signBytes: "" };
  standardInput(JSON.stringify(request));
  expect(JSON.parse(await keys("sign", "--file", at("plain"), "--chain", "dcx-1"))).toEqual({
    dcxSigner: 1,
    error: "this key signs for dcx-1 only, not for other",
  });
  standardInput("{}");
  expect(JSON.parse(await keys("sign", "--file", at("plain")))).toMatchObject({
    error: expect.stringContaining("no request"),
  });
});
