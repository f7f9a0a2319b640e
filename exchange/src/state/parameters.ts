import type { Parameters } from "@dcx/protocol";
import { invalid } from "./errors";
import { maxSupply, parseRate, scale } from "./quantities";

/**
 * Parameters for an embedded network: a block each 500 ms, so that a dead datacenter's lease breaks within 11 seconds
 * of its last confirmation. Periods in blocks; 7,200 blocks are an hour.
 */
export function defaultParameters(): Parameters {
  return {
    reconfirmationPeriod: 20n,
    // About 6 % a year at two blocks a second.
    collateralInterestRate: (scale / 1_000_000_000n).toString(),
    maxInterestPerBlock: 1_000n,
    minimumGasPrice: (scale / 10_000n).toString(),
    blockInterval: 500n,
    blockMaxBytes: 2_000_000n,
    blockMaxGas: 60_000_000n,
    maxWaitDuration: 1_200n,
    maxInfrastructures: 32,
    maxGroups: 16,
    maxAttributes: 32,
    maxTextBytes: 256,
    maxFulfillmentsPerOrder: 50,
    orderExpiry: 1_209_600n,
    exclusionPeriod: 120n,
    handoverPeriod: 600n,
    noticePeriod: 240n,
    closedRetention: 172_800n,
    facilitatorMaxTransactions: 500,
    facilitatorMaxBytes: 200_000,
    confirmationReserve: 250,
    maxManagers: 16,
    maxCount: 10_000,
    maxConfirmations: 100,
    maxValidators: 100,
    powerReduction: 1_000_000n,
    // Three weeks.
    unbondingPeriod: 3_628_800n,
    maxUnbondings: 7,
    // A day.
    commissionPeriod: 172_800n,
    doubleSignSlash: 50_000,
    signingWindow: 10_000n,
    minSigned: 500,
    absenceSlash: 100,
    absenceJail: 1_200n,
    proposalDeposit: 100_000_000n,
    // Two days.
    votingPeriod: 345_600n,
    quorum: 334,
    threshold: 500,
    veto: 334,
  };
}

/** What has to be greater than 0 where stake elects validators. */
const ofStaking: readonly (keyof Parameters)[] = ["unbondingPeriod", "maxUnbondings", "signingWindow", "absenceJail"];
/** What has to be greater than 0 where parameters are voted on. */
const ofGovernance: readonly (keyof Parameters)[] = ["proposalDeposit", "quorum", "threshold", "veto"];
/** Most validators: each looks at each other's vote on each block. */
const mostValidators = 500;
/** The engine adds powers up with room for eight times the sum. */
const leastPowerReduction = 8n;

function checkStaking(parameters: Parameters): void {
  const { maxValidators, powerReduction, votingPeriod } = parameters;
  const needed = [...(maxValidators > 0 ? ofStaking : []), ...(votingPeriod > 0n ? ofGovernance : [])];
  for (const name of needed)
    if (BigInt(parameters[name]) <= 0n) throw invalid(`parameters.${name}`, "must be greater than 0");
  if (maxValidators > mostValidators) throw invalid("parameters.maxValidators", `must be at most ${mostValidators}`);
  if (maxValidators > 0 && powerReduction < leastPowerReduction)
    throw invalid("parameters.powerReduction", `must be at least ${leastPowerReduction}`);
  for (const name of ["minSigned", "quorum", "threshold", "veto"] as const)
    if (parameters[name] > 1_000) throw invalid(`parameters.${name}`, "must be at most 1000 thousandths");
  for (const name of ["doubleSignSlash", "absenceSlash"] as const)
    if (parameters[name] > 1_000_000) throw invalid(`parameters.${name}`, "must be at most 1000000 millionths");
}

/** @throws ExchangeError InvalidMessage naming the parameter that no chain can run with */
export function checkParameters(parameters: Parameters): void {
  parseRate(parameters.collateralInterestRate, "collateral_interest_rate");
  parseRate(parameters.minimumGasPrice, "minimum_gas_price");
  const positive: (keyof Parameters)[] = [
    "reconfirmationPeriod",
    "blockInterval",
    "blockMaxBytes",
    "blockMaxGas",
    "maxInfrastructures",
    "maxGroups",
    "maxTextBytes",
    "maxFulfillmentsPerOrder",
    "orderExpiry",
    "handoverPeriod",
    "noticePeriod",
    "closedRetention",
    "facilitatorMaxTransactions",
    "facilitatorMaxBytes",
    "maxCount",
    "maxConfirmations",
  ];
  for (const name of positive)
    if (BigInt(parameters[name]) <= 0n) throw invalid(`parameters.${name}`, "must be greater than 0");
  for (const [name, value] of Object.entries(parameters))
    if (typeof value === "bigint" && value > 2n ** 53n)
      throw invalid(`parameters.${name}`, `must be at most ${2n ** 53n}`);
  if (parameters.maxInterestPerBlock > maxSupply) throw invalid("parameters.maxInterestPerBlock", "is out of range");
  if (parameters.orderExpiry <= parameters.maxWaitDuration)
    throw invalid("parameters.orderExpiry", "must be greater than maxWaitDuration: an order would expire unmatched");
  if (parameters.facilitatorMaxBytes < 1_024)
    throw invalid("parameters.facilitatorMaxBytes", "must be at least 1024, room for one transaction");
  if (BigInt(parameters.facilitatorMaxBytes) >= parameters.blockMaxBytes)
    throw invalid("parameters.facilitatorMaxBytes", "must be below blockMaxBytes");
  if (parameters.confirmationReserve > 900) throw invalid("parameters.confirmationReserve", "must be at most 900");
  checkStaking(parameters);
}
