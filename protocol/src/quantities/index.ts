export { formatCpu, MAX_CPU, parseCpu } from "./cpu";
export { type Decimal, MAX_UINT64, parseDecimal, scaleDecimal } from "./decimal";
export { formatDuration, MAX_DURATION, parseDuration } from "./duration";
export { QuantityError } from "./error";
export * from "./rate";
export { formatShare, parseShare } from "./share";
export { formatSize, parseSize } from "./size";
export { formatTokens, MICRO, parseTokens } from "./tokens";
