import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signerFromPrivateKey } from "./account-signer";
import { encryptKeyFile, readKeyFileContent } from "./key-file";
import { openSigner } from "./open-signer";

const words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const key = "0123456789abcdef".repeat(4);
const password = "correct horse battery";
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dcx-keys-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const noPassword = () => undefined;

it.each([
  ["the digits alone", key, { kind: "privateKey", privateKey: key }],
  ["digits with 0x, in capitals", `0x${key.toUpperCase()}\n`, { kind: "privateKey", privateKey: key }],
  ["the words of a mnemonic", `  ${words}\n`, { kind: "mnemonic", mnemonic: words }],
  [
    "the JSON that dcx writes",
    JSON.stringify({ address: "dcx1", privateKey: key }),
    { kind: "privateKey", privateKey: key },
  ],
])("reads %s", async (_, content, material) => {
  expect((await readKeyFileContent(file("plain", content), noPassword)).material).toEqual(material);
});

it("reads what was encrypted by a password, and holds nothing of the key in clear", async () => {
  const { address } = await signerFromPrivateKey(key);
  const text = await encryptKeyFile({ address, privateKey: key }, password);
  expect(text).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----/);
  expect(text).not.toContain(key);
  const path = file("encrypted", text);
  expect(await readKeyFileContent(path, () => password)).toEqual({
    material: { kind: "privateKey", privateKey: key },
    address,
  });
  await expect(readKeyFileContent(path, noPassword)).rejects.toThrow(/set `keyFilePassword`/);
  const wrong = await readKeyFileContent(path, () => "another password").catch(String);
  expect(wrong).toMatch(/can't be decrypted: the password is not its password/);
  expect(wrong).not.toContain("another");
});

it("reads what was encrypted to an age identity, as a binary file too", async () => {
  const { armor, generateIdentity } = await import("age-encryption");
  const identity = await generateIdentity();
  const text = await encryptKeyFile(words, identity);
  const path = join(folder, "binary");
  writeFileSync(path, armor.decode(text));
  expect((await readKeyFileContent(path, () => identity)).material).toEqual({ kind: "mnemonic", mnemonic: words });
});

it("takes the password of a command, which sees none of our secrets", async () => {
  const path = file("by-command", await encryptKeyFile(words, password));
  const script = `process.stdout.write((process.env.DCX_MNEMONIC ?? "") + ${JSON.stringify(`${password}\nmore`)})`;
  const choice = {
    kind: "keyFile",
    path,
    password: undefined,
    passwordCommand: [process.execPath, "-e", script],
  } as const;
  const environment = { ...process.env, DCX_MNEMONIC: "hush" };
  const signer = await openSigner(choice, { addressPrefix: "other", environment });
  expect(signer.address).toMatch(/^other1/);
});

it("refuses a file whose address is not that of its key, whatever its prefix", async () => {
  const { address } = await signerFromPrivateKey(key);
  const open = (own: string) =>
    openSigner(
      {
        kind: "keyFile",
        path: file("address", JSON.stringify({ address: own, privateKey: key })),
        password: undefined,
        passwordCommand: undefined,
      },
      { addressPrefix: "other", environment: {} },
    );
  expect((await open(address)).address).toMatch(/^other1/);
  const stranger = await signerFromPrivateKey("11".repeat(32));
  await expect(open(stranger.address)).rejects.toThrow(/was changed by hand/);
});

it.each([
  ["a file that there is not", undefined, /there is none. `dcx keys new --file` makes one/],
  ["a file with something else", "hush hush", /is no key file/],
])("says what is wrong with %s, and not what it holds", async (_, content, message) => {
  const path = content === undefined ? join(folder, "nowhere") : file("other", content);
  const error = await readKeyFileContent(path, noPassword).catch(String);
  expect(error).toMatch(message);
  expect(error).not.toContain("hush");
});

it("is what the age library itself makes and reads by a password", async () => {
  const { armor, Decrypter, Encrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  decrypter.addPassphrase(password);
  expect(await decrypter.decrypt(armor.decode(await encryptKeyFile(words, password)), "text")).toBe(`${words}\n`);
  const encrypter = new Encrypter();
  encrypter.setPassphrase(password);
  encrypter.setScryptWorkFactor(10);
  const path = join(folder, "theirs");
  writeFileSync(path, await encrypter.encrypt(key));
  expect((await readKeyFileContent(path, () => password)).material).toEqual({ kind: "privateKey", privateKey: key });
});

it("takes no short password", async () => {
  await expect(encryptKeyFile(words, "short")).rejects.toThrow(/at least 8 characters/);
});
