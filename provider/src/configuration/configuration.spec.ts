import { Secret, Unknown, type ValueMap } from "../wire/value";
import { checkConfiguration, diffConfiguration } from "./check";
import { ConfigurationError } from "./configuration";
import { resolveConfiguration } from "./resolve";

const words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const key = "0123456789abcdef".repeat(4);
const url = "https://rpc.example.org";

function problems(inputs: ValueMap, environment: NodeJS.ProcessEnv = {}): string {
  try {
    resolveConfiguration(inputs, environment);
  } catch (error) {
    if (error instanceof ConfigurationError) {
      return error.message;
    }
    throw error;
  }
  return "";
}

describe("the configuration", () => {
  it("is the embedded network where nothing is said", () => {
    expect(resolveConfiguration({}, {})).toEqual({
      network: { kind: "embedded", said: false },
      signer: undefined,
      namespace: "",
      namespaceKey: undefined,
      minimumIsolation: undefined,
      fees: {
        feeGranter: undefined,
        gasPrice: undefined,
        gasAdjustment: undefined,
        gasLimit: undefined,
        maxFee: undefined,
      },
      maxCostPerMonth: undefined,
      timeouts: { create: 600, update: 600, delete: 600 },
      patience: 10_000,
      skipAwait: false,
    });
  });

  it("with CI set and nothing configured, is an error that says what to set", () => {
    expect(problems({}, { CI: "true" })).toContain("pulumi config set dcx:network embedded");
    expect(problems({ network: "embedded" }, { CI: "true" })).toBe("");
    expect(problems({}, { CI: "true", DCX_NETWORK: "embedded" })).toBe("");
    expect(problems({}, { CI: "false" })).toBe("");
  });

  it("with a signer and no network, starts nothing unasked", () => {
    expect(problems({}, { DCX_MNEMONIC: words })).toContain("a signer is (DCX_MNEMONIC)");
    expect(problems({ network: "embedded" }, { DCX_MNEMONIC: words })).toBe("");
  });

  it.each<[string, ValueMap, NodeJS.ProcessEnv, readonly string[]]>([
    ["endpoints", { endpoints: [url, "http://b:26657"] }, {}, [url, "http://b:26657"]],
    ["endpoints as JSON, as stack configuration has them", { endpoints: `["${url}"]` }, {}, [url]],
    ["a URL as network", { network: url }, {}, [url]],
    ["an object as network", { network: { endpoints: [url] } }, {}, [url]],
    ["the environment", {}, { DCX_ENDPOINTS: `${url}, http://b:26657` }, [url, "http://b:26657"]],
    ["the word with the environment", { network: "exchange" }, { DCX_ENDPOINTS: url }, [url]],
    [
      "inputs before the environment",
      { endpoints: url },
      { DCX_NETWORK: "embedded", DCX_ENDPOINTS: "http://b" },
      [url],
    ],
  ])("takes an exchange from %s", (_, inputs, environment, endpoints) => {
    const { network, signer } = resolveConfiguration(inputs, {
      ...environment,
      DCX_PRIVATE_KEY: `0x${key.toUpperCase()}`,
    });
    expect(network).toEqual({ kind: "exchange", endpoints, chainId: undefined });
    expect(signer).toEqual({ kind: "privateKey", privateKey: key });
  });

  it("takes the signer of the program before that of the environment", () => {
    const { signer } = resolveConfiguration(
      { endpoints: url, mnemonic: new Secret(`  ${words.replaceAll(" ", "  ")}\n`) },
      { DCX_PRIVATE_KEY: key },
    );
    expect(signer).toEqual({ kind: "mnemonic", mnemonic: words });
  });

  it.each<[string, ValueMap, NodeJS.ProcessEnv, string]>([
    ["an exchange without endpoints", { network: "exchange", keyFile: "k" }, {}, "endpoints: is missing"],
    ["an exchange without signer", { endpoints: url }, {}, "needs a signer"],
    ["an endpoint that is no URL", { endpoints: ["rpc.example.org"], keyFile: "k" }, {}, "number 1 is no URL"],
    ["two signers", { endpoints: url, mnemonic: words, keyFile: "k" }, {}, "only one of mnemonic and keyFile"],
    [
      "two in the environment",
      { endpoints: url },
      { DCX_MNEMONIC: words, DCX_KEY_FILE: "k" },
      "DCX_MNEMONIC and DCX_KEY_FILE",
    ],
    [
      "an embedded network with endpoints",
      { network: "embedded", endpoints: url },
      {},
      "does not go with `network: embedded`",
    ],
    ["a network that is none", { network: "mainnet" }, {}, 'network: must be "embedded"'],
    ["akash", { network: "akash" }, {}, "akash is not supported by this version"],
    ["a timeout without unit that is none", { timeout: "soon" }, {}, "timeout: must be a duration"],
    ["a flag that is none", { skipAwait: "perhaps" }, {}, "skipAwait: must be true or false"],
    ["a setting that there is not", { netwrok: "embedded" }, {}, "netwrok: is no setting of dcx"],
  ])("refuses %s", (_, inputs, environment, message) => {
    expect(problems(inputs, environment)).toContain(message);
  });

  it("names everything that is wrong at once, and no secret", () => {
    const message = problems({ endpoints: "x", privateKey: "hush-hush", timeout: "soon" });
    expect(message.split("\n")).toHaveLength(3);
    expect(message).not.toContain("hush");
    expect(problems({ endpoints: url, mnemonic: "hush hush" })).not.toContain("hush");
  });

  it.each([
    ["90s", 90],
    ["10m", 600],
    ["1h", 3600],
    [45, 45],
  ])("reads a timeout of %s", (timeout, seconds) => {
    expect(resolveConfiguration({ timeout }, {}).timeouts).toEqual({
      create: seconds,
      update: seconds,
      delete: seconds,
    });
  });

  it("has times of their own for creates, updates and deletes", () => {
    const { timeouts, patience } = resolveConfiguration(
      { timeout: "1m", createTimeout: "2m", deleteTimeout: 5, patience: "1m" },
      { DCX_UPDATE_TIMEOUT: "3m" },
    );
    expect(timeouts).toEqual({ create: 120, update: 180, delete: 5 });
    expect(patience).toBe(60_000);
  });

  it("reads what may be spent", () => {
    const { fees, maxCostPerMonth } = resolveConfiguration(
      { network: "embedded", gasPrice: "0.0002udcx", gasAdjustment: 1.8, maxFee: "0.05", maxCostPerMonth: 250 },
      {},
    );
    expect(fees).toEqual({
      feeGranter: undefined,
      gasPrice: { amount: 2n * 10n ** 14n, denomination: "udcx" },
      gasAdjustment: 1.8,
      gasLimit: undefined,
      maxFee: 50_000n,
    });
    expect(maxCostPerMonth).toBe(250_000_000n);
  });

  const exchange = { endpoints: url };
  const namespaceKey = "n".repeat(32);
  it.each<[string, ValueMap, NodeJS.ProcessEnv, unknown]>([
    [
      "an encrypted key file with the password of the environment",
      { keyFile: "k.age" },
      { DCX_KEY_FILE_PASSWORD: "hush" },
      { kind: "keyFile", path: "k.age", password: "hush", passwordCommand: undefined },
    ],
    [
      "a password command of the stack before a password of the environment",
      { keyFile: "k.age", keyFilePasswordCommand: '["pass","show","dcx"]' },
      { DCX_KEY_FILE_PASSWORD: "hush" },
      { kind: "keyFile", path: "k.age", password: undefined, passwordCommand: ["pass", "show", "dcx"] },
    ],
    [
      "a signing command as a list",
      { signerCommand: ["sign", "with spaces"], signerTimeout: "2m", namespaceKey: new Secret(namespaceKey) },
      {},
      { kind: "command", command: ["sign", "with spaces"], timeout: 120_000 },
    ],
    [
      "a signing command of the environment",
      {},
      { DCX_SIGNER_COMMAND: "dcx keys sign", DCX_NAMESPACE_KEY: namespaceKey },
      { kind: "command", command: ["dcx", "keys", "sign"], timeout: 30_000 },
    ],
    [
      "a remote signer",
      { signerUrl: "https://signer.example.org/dcx", signerToken: new Secret("hush"), namespaceKey },
      {},
      {
        kind: "remote",
        url: "https://signer.example.org/dcx",
        token: "hush",
        certificate: undefined,
        certificateKey: undefined,
        authority: undefined,
        timeout: 30_000,
      },
    ],
  ])("takes %s", (_, inputs, environment, signer) => {
    expect(resolveConfiguration({ ...exchange, ...inputs }, environment).signer).toEqual(signer);
  });

  it.each<[string, ValueMap, string]>([
    [
      "a signing command without a namespace key",
      { signerCommand: "sign" },
      "namespaceKey: is needed with signerCommand",
    ],
    ["a remote signer without one", { signerUrl: "https://s.example" }, "namespaceKey: is needed with signerUrl"],
    ["a namespace key that is short", { keyFile: "k", namespaceKey: "hush" }, "must be at least 32 characters"],
    ["a remote signer in clear", { signerUrl: "http://s.example", namespaceKey }, "begins with https://"],
    ["a remote signer with a password", { signerUrl: "https://u:hush@s.example", namespaceKey }, "set signerToken"],
    [
      "a certificate without its key",
      { signerUrl: "https://s.example", signerCertificate: "c.pem", namespaceKey },
      "signerCertificateKey: is missing",
    ],
    ["a password without its file", { privateKey: key, keyFilePassword: "hush" }, "goes with keyFile"],
    [
      "two sources of a password",
      { keyFile: "k", keyFilePassword: "hush", keyFilePasswordCommand: "pass" },
      "only one of keyFilePassword and keyFilePasswordCommand",
    ],
    ["a gas price that is none", { privateKey: key, gasPrice: "cheap" }, "gasPrice: must be micro-units"],
    ["a gas limit beside a factor", { privateKey: key, gasLimit: 1, gasAdjustment: 2 }, "set one of the two"],
    ["a fee granter that is none", { privateKey: key, feeGranter: "bob" }, "must be the address of an account"],
    [
      "an isolation that there is not",
      { privateKey: key, minimumIsolation: "strong" },
      "must be container, sandbox, none",
    ],
    ["a limit that is none", { privateKey: key, maxCostPerMonth: "much" }, "maxCostPerMonth: must be an amount"],
    ["an endpoint with something secret in it", { endpoints: ["hush@host"], privateKey: key }, "number 1 is no URL"],
  ])("refuses %s", (_, inputs, message) => {
    const found = problems({ ...exchange, ...inputs });
    expect(found).toContain(message);
    expect(found).not.toContain("hush");
  });
});

describe("CheckConfig", () => {
  it("gives back what was given, with secrets marked, and nothing of the environment", () => {
    const { inputs, failures } = checkConfiguration(
      { endpoints: url, privateKey: key },
      { DCX_NAMESPACE: "n", DCX_NAMESPACE_KEY: "hush".repeat(8) },
    );
    expect(failures).toEqual([]);
    expect(Object.keys(inputs)).toEqual(["endpoints", "privateKey"]);
    expect(inputs["privateKey"]).toBeInstanceOf(Secret);
  });

  it("names no property in a failure, for the engine would print its value", () => {
    const { failures } = checkConfiguration({ endpoints: url, privateKey: "hush" }, {});
    expect(failures).toEqual([{ property: "", reason: expect.stringContaining("dcx:privateKey: must be 64") }]);
  });

  it("waits with its judgement until everything is known", () => {
    expect(checkConfiguration({ network: Unknown.instance }, { CI: "1" }).failures).toEqual([]);
    expect(checkConfiguration({ mnemonic: new Secret(Unknown.instance) }, {}).failures).toEqual([]);
  });
});

describe("DiffConfig", () => {
  it.each<[string, ValueMap, ValueMap, readonly string[]]>([
    ["the same", { network: "embedded" }, { network: "embedded" }, []],
    ["another kind of network", { network: "embedded" }, { network: url, privateKey: key }, ["network"]],
    [
      "another chain in an object",
      { network: { endpoints: [url], chainId: "a" } },
      { endpoints: url, chainId: "b" },
      ["chainId"],
    ],
    ["another chain", { endpoints: url, chainId: "a" }, { endpoints: url, chainId: "b" }, ["chainId"]],
    ["from the default provider to an explicit one", {}, { network: "embedded" }, []],
    ["a chain that is named now", { endpoints: url }, { endpoints: url, chainId: "a" }, []],
    ["another node", { endpoints: url }, { endpoints: "http://b" }, []],
    ["another signer", { endpoints: url, mnemonic: new Secret(words) }, { endpoints: url, privateKey: key }, []],
    [
      "spending limits and times",
      { endpoints: url, maxFee: "1" },
      { endpoints: url, timeout: "1m", feeGranter: "x" },
      [],
    ],
    ["a chain that is named no more", { endpoints: url, chainId: "a" }, { endpoints: url }, []],
    ["a key file in place of a key", { endpoints: url, privateKey: key }, { endpoints: url, keyFile: "k" }, []],
    ["a network that is not known yet", { network: "embedded" }, { network: Unknown.instance }, []],
  ])("replaces for %s: %j → %j", (_, olds, news, replacing) => {
    expect(diffConfiguration(olds, news).replacing).toEqual(replacing);
  });

  it("names no secret of a signer in any failure, and marks every secret", () => {
    const secrets = [
      "mnemonic",
      "privateKey",
      "keyFilePassword",
      "signerToken",
      "signerCertificateKey",
      "namespaceKey",
    ];
    const inputs = Object.fromEntries(secrets.map((name) => [name, "hush hush"]));
    const check = checkConfiguration({ endpoints: ["hush@x"], ...inputs }, {});
    expect(check.failures.length).toBeGreaterThan(0);
    expect(JSON.stringify(check.failures)).not.toContain("hush");
    expect(check.failures.filter(({ property }) => property !== "")).toEqual([]);
    for (const name of secrets) expect(check.inputs[name]).toBeInstanceOf(Secret);
  });

  it("sees that a secret changed", () => {
    const changed = diffConfiguration({ mnemonic: new Secret("a") }, { mnemonic: new Secret("b") }).changed;
    expect(changed).toEqual(["mnemonic"]);
  });
});
