import { version } from "../version";
import { Application } from "./application";
import type { Component } from "./component";

/** The component types, by token. */
export function createComponents(): ReadonlyMap<string, Component> {
  const all: readonly Component[] = [new Application({ version })];
  return new Map(all.map((component) => [component.token, component]));
}
