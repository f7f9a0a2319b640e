/** CometBFT's query language for events: conditions joined by AND. */

type Operator = "=" | "<" | "<=" | ">" | ">=" | "CONTAINS" | "EXISTS";

export interface Condition {
  readonly key: string;
  readonly operator: Operator;
  /** As text; empty for EXISTS. */
  readonly value: string;
  /** Set when the value was written as a number. */
  readonly number?: bigint;
}

export class InvalidQuery extends Error {
  override readonly name = "InvalidQuery";
}

const longestQuery = 2048;
const mostConditions = 16;
const token = /\s*(?:(<=|>=|=|<|>)|'((?:[^'\\]|\\.)*)'|([^\s<>='"]+))/y;

/** Parses e.g. `tm.event='Tx' AND tx.height>5`. @throws InvalidQuery */
export function parseEventQuery(text: string): Condition[] {
  if (text.length > longestQuery) throw new InvalidQuery(`the query is longer than ${longestQuery} characters`);
  const tokens = tokenize(text);
  const conditions: Condition[] = [];
  let at = 0;
  const next = () => tokens[at++];
  for (;;) {
    const key = next();
    if (key?.kind !== "word") throw new InvalidQuery(`expected the name of an attribute in ${JSON.stringify(text)}`);
    conditions.push(parseCondition(key.text, next, text));
    if (conditions.length > mostConditions) throw new InvalidQuery(`more than ${mostConditions} conditions`);
    const joint = next();
    if (joint === undefined) return conditions;
    if (joint.kind !== "word" || joint.text !== "AND") {
      throw new InvalidQuery(`expected AND, not ${JSON.stringify(joint.text)}, in ${JSON.stringify(text)}`);
    }
  }
}

/** Whether the values that something has meet every condition. */
export function matchesQuery(
  conditions: readonly Condition[],
  values: ReadonlyMap<string, readonly string[]>,
): boolean {
  return conditions.every((condition) => values.get(condition.key)?.some((value) => meets(condition, value)) ?? false);
}

/** Whether one value meets the condition. Numbers compare as numbers, all else as text. */
export function meets(condition: Condition, value: string): boolean {
  switch (condition.operator) {
    case "EXISTS":
      return true;
    case "CONTAINS":
      return value.includes(condition.value);
    case "=":
      if (condition.number === undefined) return value === condition.value;
      return leadingInteger(value) === condition.number;
    default: {
      const own = leadingInteger(value);
      if (condition.number === undefined || own === undefined) return false;
      if (condition.operator === "<") return own < condition.number;
      if (condition.operator === "<=") return own <= condition.number;
      if (condition.operator === ">") return own > condition.number;
      return own >= condition.number;
    }
  }
}

interface Token {
  readonly kind: "operator" | "text" | "word";
  readonly text: string;
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  const end = text.trimEnd().length;
  while (token.lastIndex < end) {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (match === null) throw new InvalidQuery(`can't read ${JSON.stringify(text.slice(at))}: texts are in 'quotes'`);
    const [, operator, quoted, word] = match;
    if (operator !== undefined) tokens.push({ kind: "operator", text: operator });
    else if (quoted !== undefined) tokens.push({ kind: "text", text: quoted.replace(/\\(.)/g, "$1") });
    else tokens.push({ kind: "word", text: word ?? "" });
  }
  return tokens;
}

function parseCondition(key: string, next: () => Token | undefined, text: string): Condition {
  const operator = next();
  if (operator?.text === "EXISTS") return { key, operator: "EXISTS", value: "" };
  const value = next();
  if (operator?.text === "CONTAINS" && value?.kind === "text") return { key, operator: "CONTAINS", value: value.text };
  const known = (["=", "<", "<=", ">", ">="] as const).find((one) => one === operator?.text);
  if (operator?.kind !== "operator" || known === undefined || value === undefined) {
    throw new InvalidQuery(
      `${key}: expected =, <, <=, >, >=, CONTAINS or EXISTS and a value in ${JSON.stringify(text)}`,
    );
  }
  if (value.kind === "text") return { key, operator: known, value: value.text };
  if (!/^-?\d{1,30}$/.test(value.text)) {
    throw new InvalidQuery(`${key}: ${JSON.stringify(value.text)} is no whole number; texts are in 'quotes'`);
  }
  return { key, operator: known, value: value.text, number: BigInt(value.text) };
}

// "12uakt" counts as 12, as in CometBFT.
function leadingInteger(value: string): bigint | undefined {
  const digits = /^-?\d{1,30}/.exec(value);
  return digits === null ? undefined : BigInt(digits[0]);
}
