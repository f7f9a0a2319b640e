import type { ValidatorDescription } from "@dcx/protocol";
import type { Description } from "cosmjs-types/cosmos/staking/v1beta1/staking";
import { invalid } from "./errors";
import { maxSupply, scale } from "./quantities";
import { getParameters } from "./records";
import type { KeyValueReader } from "./store";
import { checkText } from "./validation";

/** What an edit says of a part of the description that stays as it is. */
const unchanged = "[do-not-modify]";

/** The description as it is recorded. @throws ExchangeError InvalidMessage naming the field */
export function checkedDescription(
  store: KeyValueReader,
  description: Description,
  before?: ValidatorDescription,
): ValidatorDescription {
  const parameters = getParameters(store);
  const part = (text: string, old: string | undefined, field: string): string => {
    checkText(parameters, text, `description.${field}`);
    return text === unchanged && old !== undefined ? old : text;
  };
  const checked = {
    moniker: part(description.moniker, before?.moniker, "moniker"),
    identity: part(description.identity, before?.identity, "identity"),
    website: part(description.website, before?.website, "website"),
    securityContact: part(description.securityContact, before?.securityContact, "security_contact"),
    details: part(description.details, before?.details, "details"),
  };
  if (checked.moniker === "") throw invalid("description.moniker", "must not be empty: people know a validator by it");
  return checked;
}

/** A share of fees, scaled by 10^18, from its decimal text: at most the whole. @throws ExchangeError InvalidMessage */
export function parseShare(text: string, field: string): bigint {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text) || BigInt(text) > scale)
    throw invalid(field, `must be 0 to 1, as a decimal integer of at most ${scale}`);
  return BigInt(text);
}

/** @throws ExchangeError InvalidMessage */
export function parseMinSelfDelegation(text: string): bigint {
  if (!/^[1-9][0-9]{0,18}$/.test(text) || BigInt(text) > maxSupply)
    throw invalid("min_self_delegation", `must be 1 to ${maxSupply} micro-units`);
  return BigInt(text);
}
