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
      timeout: 600,
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
    ["an endpoint that is no URL", { endpoints: ["rpc.example.org"], keyFile: "k" }, {}, '"rpc.example.org" is no URL'],
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
    expect(resolveConfiguration({ timeout }, {}).timeout).toBe(seconds);
  });
});

describe("CheckConfig", () => {
  it("gives back what was given, with secrets marked, and nothing of the environment", () => {
    const { inputs, failures } = checkConfiguration(
      { endpoints: url, privateKey: key },
      { DCX_NAMESPACE: "n", DCX_NAMESPACE_KEY: "hush" },
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
    ["another chain", { endpoints: url, chainId: "a" }, { endpoints: url, chainId: "b" }, ["chainId"]],
    ["from the default provider to an explicit one", {}, { network: "embedded" }, []],
    ["a chain that is named now", { endpoints: url }, { endpoints: url, chainId: "a" }, []],
    ["another node", { endpoints: url }, { endpoints: "http://b" }, []],
    ["another signer", { endpoints: url, mnemonic: new Secret(words) }, { endpoints: url, privateKey: key }, []],
    ["a network that is not known yet", { network: "embedded" }, { network: Unknown.instance }, []],
  ])("replaces for %s: %j → %j", (_, olds, news, replacing) => {
    expect(diffConfiguration(olds, news).replacing).toEqual(replacing);
  });

  it("sees that a secret changed", () => {
    const changed = diffConfiguration({ mnemonic: new Secret("a") }, { mnemonic: new Secret("b") }).changed;
    expect(changed).toEqual(["mnemonic"]);
  });
});
