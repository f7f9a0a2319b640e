export * from "./keys";
export * from "./names";
export * from "./text";
