/**
 * What a connector may ask for in Connect and this version cannot do. Such a connector is refused
 * with the key's name and never run without it: a setting that is ignored looks like one that works.
 * One row each; the change that brings a feature deletes its row.
 */
import type { ConfigProblem } from "../base/error.ts";
import type { SubmittedConfig } from "./parse.ts";

interface Refusal {
  /** The exact key, or a pattern for a family of keys. */
  readonly key: string | RegExp;
  /** Which values ask for the feature; the default of the key must not. */
  readonly asks: (value: string) => boolean;
  readonly instead: string;
}

const set = (value: string) => value !== "";
const isNot = (harmless: string) => (value: string) => value.toLowerCase() !== harmless;

const refusals: readonly Refusal[] = [
  {
    key: "exactly.once.support",
    asks: isNot("requested"),
    instead: "remove it or set it to requested; delivery is at least once",
  },
  { key: "transaction.boundary", asks: isNot("poll"), instead: "remove it or set it to poll" },
  { key: "offsets.storage.topic", asks: set, instead: "remove it" },
  {
    key: /^(producer|consumer|admin)\.override\./,
    asks: () => true,
    instead: "remove it",
  },
];

/** The syntax of references to config providers, as Connect reads it. */
const providerReference = /\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}/;

/** One problem for each key that asks for something this version lacks, in the order of the config. */
export function refusedKeys(config: SubmittedConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [key, value] of Object.entries(config)) {
    if (value === null) continue;
    const trimmed = value.trim();
    const row = refusals.find((each) => matches(each.key, key) && each.asks(trimmed));
    if (row) problems.push({ key, message: `${key} ${unsupported}: ${row.instead}` });
    const reference = providerReference.exec(value);
    if (reference) problems.push({ key, message: providerMessage(key, reference[1] ?? "") });
  }
  return problems;
}

/** Goes between the key's name and what to do instead. */
export const unsupported = "is not supported by this version of Bulkhead";

function providerMessage(key: string, provider: string): string {
  return `${key} refers to the config provider '${provider}', and config providers are not supported by this version of Bulkhead: write the value itself`;
}

function matches(pattern: string | RegExp, key: string): boolean {
  return typeof pattern === "string" ? pattern === key : pattern.test(key);
}
