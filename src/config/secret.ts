import { inspect } from "node:util";

/** A text that refuses to print: templates, JSON, errors and the console all show `[hidden]`. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the one place that needs it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return hiddenText;
  }

  toJSON(): string {
    return hiddenText;
  }

  [inspect.custom](): string {
    return hiddenText;
  }
}

/** What Connect prints instead of a password. */
const hiddenText = "[hidden]";

const secretName = /passw|secret|token|credential|api[._-]?key|private[._-]?key|jaas/i;

/**
 * Is this key's value better not printed? A guess by name, for texts that show a whole config
 * before its class, and so the types of its keys, is known.
 */
export function looksSecret(key: string): boolean {
  return secretName.test(key);
}
