import { parseDecimal, scaleDecimal } from "@dcx/protocol";
import type { FeeSettings, GasPrice } from "./configuration";
import type { Reader } from "./reader";

export function resolveFees(reader: Reader): FeeSettings {
  const gasLimit = resolveGasLimit(reader);
  if (gasLimit !== undefined && reader.source("gasAdjustment") !== undefined) {
    reader.refuse("gasLimit", "takes the place of what gasAdjustment is a factor of: set one of the two");
  }
  return {
    feeGranter: resolveGranter(reader),
    gasPrice: resolveGasPrice(reader),
    gasAdjustment: resolveAdjustment(reader),
    gasLimit,
    maxFee: reader.tokens("maxFee"),
  };
}

function resolveGranter(reader: Reader): string | undefined {
  const text = reader.text("feeGranter")?.trim();
  if (text !== undefined && !/^[a-z][a-z0-9]{0,82}1[02-9ac-hj-np-z]{38,}$/.test(text)) {
    reader.refuse("feeGranter", "must be the address of an account, such as dcx1…");
    return undefined;
  }
  return text;
}

function resolveGasPrice(reader: Reader): GasPrice | undefined {
  const text = reader.text("gasPrice")?.trim();
  if (text === undefined) {
    return undefined;
  }
  const [, number = "", denomination] = /^([\d.]+(?:[eE]-?\d+)?)([a-z][a-zA-Z0-9/]*)?$/.exec(text) ?? [];
  const decimal = parseDecimal(number);
  if (decimal === undefined) {
    reader.refuse("gasPrice", "must be micro-units for a unit of gas, such as 0.0002 or 0.0002udcx");
    return undefined;
  }
  return { amount: scaleDecimal(decimal, 10n ** 18n).quotient, denomination };
}

function resolveAdjustment(reader: Reader): number | undefined {
  const text = reader.text("gasAdjustment");
  const factor = Number(text);
  if (text !== undefined && !(factor >= 1 && factor <= 10)) {
    reader.refuse("gasAdjustment", "must be a number from 1 to 10, such as 1.4");
    return undefined;
  }
  return text === undefined ? undefined : factor;
}

function resolveGasLimit(reader: Reader): bigint | undefined {
  const text = reader.text("gasLimit");
  if (text !== undefined && !/^[1-9]\d{0,17}$/.test(text)) {
    reader.refuse("gasLimit", "must be a whole number of units of gas, such as 400000");
    return undefined;
  }
  return text === undefined ? undefined : BigInt(text);
}
