import { fromBech32, toBech32 } from "@cosmjs/encoding";
import { ExchangeErrorCode } from "@dcx/protocol";
import { ExchangeError } from "./errors";

/** What the prefix of a validator's address has beside that of accounts. */
const operatorSuffix = "valoper";

/**
 * The account that runs a validator, from the address by which the Cosmos SDK's messages name the validator: the same
 * bytes under another prefix.
 * @throws ExchangeError InvalidAddress
 */
export function accountOfOperator(address: string, field: string): string {
  const refuse = (problem: string): ExchangeError =>
    new ExchangeError(ExchangeErrorCode.InvalidAddress, `${field}: ${JSON.stringify(address)} ${problem}`);
  if (address.length > 200) throw refuse("is not the bech32 address of a validator");
  let decoded: { prefix: string; data: Uint8Array };
  try {
    decoded = fromBech32(address, 200);
  } catch {
    throw refuse("is not the bech32 address of a validator");
  }
  if (!decoded.prefix.endsWith(operatorSuffix))
    throw refuse(`is no validator's: such an address has a prefix that ends with ${operatorSuffix}`);
  const account = toBech32(decoded.prefix.slice(0, -operatorSuffix.length), decoded.data);
  // Upper case would be another text for the same validator.
  if (operatorAddressOf(account) !== address) throw refuse("must be in lower case");
  return account;
}

/** The validator's address of the account that runs it. Takes a good address. */
export function operatorAddressOf(account: string): string {
  const { prefix, data } = fromBech32(account, 200);
  return toBech32(prefix + operatorSuffix, data);
}
