export * from "./agent/api";
export * from "./generated/dcx/exchange/v1/events";
export * from "./generated/dcx/exchange/v1/query";
export * from "./generated/dcx/exchange/v1/tx";
export * from "./generated/dcx/exchange/v1/types";
export * from "./manifest/types";
export * from "./network/embedded";
