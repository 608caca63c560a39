/** The name of an enum's value as the contract spells it, without its prefix; for a person. */
export function enumName(values: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(values).find((name) => values[name] === value) ?? `number ${value}`;
}
