import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  createDatacenterRoot,
  createRootProof,
  ExchangeErrorCode,
  MsgRegisterDatacenter,
  MsgRegisterDatacenterResponse,
  type RootCertificate,
} from "@dcx/protocol";
import { datacenters } from "../records";
import { chainId } from "../testing/genesis";
import { addressOf } from "../testing/names";
import { refusal, World } from "../testing/world";

const register = {
  typeUrl: "/dcx.exchange.v1.MsgRegisterDatacenter",
  request: MsgRegisterDatacenter,
  response: MsgRegisterDatacenterResponse,
};
const datacenter = addressOf("sierra");

async function newRoot(endHeight = 0n): Promise<RootCertificate> {
  const validity = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2036-01-01T00:00:00Z") };
  const root = await createDatacenterRoot({ chainId, datacenter }, validity);
  const certificate = new Uint8Array(new X509Certificate(root.certificate).raw);
  const proof = createRootProof({ chainId, datacenter, certificate }, createPrivateKey(root.key));
  return { certificate, proof, endHeight };
}

function message(roots: RootCertificate[], change: Partial<MsgRegisterDatacenter> = {}): MsgRegisterDatacenter {
  return {
    datacenter,
    region: "us-west",
    attributes: [
      { key: "tier", value: "1" },
      { key: "isolation", value: "container" },
    ],
    agentUrls: ["https://127.0.0.1:8443"],
    tunnelAddresses: ["127.0.0.1:9443"],
    roots,
    ...change,
  };
}

describe("RegisterDatacenter", () => {
  test("makes the record, attributes sorted; a change keeps the height of its registration", async () => {
    const exchange = new World({ accounts: { sierra: 1n } });
    const root = await newRoot();
    exchange.run(register, message([root]));
    exchange.blocks(3);
    exchange.run(register, message([root], { region: "us-east" }));
    expect(datacenters.get(exchange.state, datacenter)).toMatchObject({
      region: "us-east",
      registeredHeight: 1n,
      attributes: [{ key: "isolation" }, { key: "tier" }],
    });
  });

  test("keeps an older root up to its end, then drops it", async () => {
    const exchange = new World({ accounts: { sierra: 1n } });
    const newer = await newRoot();
    exchange.run(register, message([newer, await newRoot(4n)]));
    exchange.until(4n);
    expect(datacenters.need(exchange.state, datacenter).roots).toHaveLength(2);
    exchange.until(5n);
    expect(datacenters.need(exchange.state, datacenter).roots).toEqual([newer]);
  });

  test("refuses a proof that was made for another account, or spoilt", async () => {
    const exchange = new World({ accounts: { sierra: 1n } });
    const root = await newRoot();
    const spoilt = { ...root, proof: root.proof.map((byte, index) => (index === 40 ? byte ^ 1 : byte)) };
    expect(refusal(() => exchange.run(register, message([spoilt])))).toBe(ExchangeErrorCode.InvalidRootProof);
    expect(refusal(() => exchange.run(register, message([root], { datacenter: addressOf("umbra") })))).toBe(
      ExchangeErrorCode.InvalidRootProof,
    );
  });

  test("refuses no root, three, a newer one with an end, an older one without", async () => {
    const exchange = new World({ accounts: { sierra: 1n } });
    const root = await newRoot();
    const ending = { ...root, endHeight: 9n };
    for (const roots of [
      [],
      [root, ending, ending],
      [ending],
      [root, root],
      [root, { ...root, endHeight: 1n }],
      [root, { ...root, endHeight: 2n ** 64n - 1n }],
    ])
      expect(refusal(() => exchange.run(register, message(roots)))).toBe(ExchangeErrorCode.InvalidMessage);
  });

  test.each([
    { region: "" },
    { region: "us west" },
    { agentUrls: ["http://127.0.0.1"] },
    { tunnelAddresses: ["127.0.0.1"] },
    { attributes: [{ key: "tier", value: "a\nb" }] },
  ])("refuses %j", async (change) => {
    const exchange = new World({ accounts: { sierra: 1n } });
    const root = await newRoot();
    expect(refusal(() => exchange.run(register, message([root], change)))).toBe(ExchangeErrorCode.InvalidMessage);
  });
});
