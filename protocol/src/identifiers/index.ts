export { frame } from "./frame";
export * from "./keys";
export * from "./names";
export * from "./text";
