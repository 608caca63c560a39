/** Reads a converter's own settings: all mistakes at once, with Connect's texts. */
import { ConfigError, type ConfigProblem } from "../base/error.ts";

/** Settings without the prefix of their place (`schemas.enable`). */
export type ConverterConfig = Readonly<Record<string, string>>;

const int32Max = 2_147_483_647;

/** Collects what is wrong while the settings are read one by one; `end` throws it. */
export class ConverterSettings {
  readonly #className: string;
  readonly #config: ConverterConfig;
  readonly #problems: ConfigProblem[] = [];

  constructor(className: string, config: ConverterConfig) {
    this.#className = className;
    this.#config = config;
  }

  boolean(key: string, absent: boolean): boolean {
    const text = this.#config[key]?.trim().toLowerCase();
    if (text === undefined) return absent;
    if (text !== "true" && text !== "false") {
      this.refuse(key, "Expected value to be either true or false");
    }
    return text === "true";
  }

  integer(key: string, absent: number): number {
    const text = this.#config[key]?.trim();
    if (text === undefined) return absent;
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(Math.abs(value) <= int32Max)) this.refuse(key, "Not a number of type INT");
    return value;
  }

  /** One of the words, in upper case. */
  word(key: string, words: readonly string[], absent: string): string {
    const text = this.#config[key];
    if (text === undefined) return absent;
    const word = text.trim().toUpperCase();
    if (!words.includes(word)) {
      this.refuse(key, `String must be one of (case insensitive): ${words.join(", ")}`);
    }
    return word;
  }

  text(key: string, absent: string): string {
    return this.#config[key] ?? absent;
  }

  refuse(key: string, rule: string): void {
    const value = this.#config[key] ?? "null";
    this.#problems.push({
      key,
      message: `Invalid value ${value} for configuration ${key}: ${rule}`,
    });
  }

  /** @throws ConfigError */
  end(): void {
    if (this.#problems.length === 0) return;
    throw new ConfigError(
      "config.invalid",
      this.#problems.map((problem) => problem.message).join("; "),
      { problems: this.#problems, hint: `see the settings of ${this.#className}` },
    );
  }
}
