/** Regular expressions as java.util.regex has them (Java 17): what users write for Kafka Connect. */
import { ConfigError, RecordError } from "./error.ts";
import { JavaMatcher } from "./java-pattern-matcher.ts";
import { parseJavaPattern } from "./java-pattern-parser.ts";

/** A pattern that was understood. */
export class JavaPattern {
  readonly #groups: number;
  readonly #names: ReadonlyMap<string, number>;
  readonly #matcher: JavaMatcher;

  /** @throws ConfigError with the text of Java's PatternSyntaxException, or ours for what we cannot do */
  constructor(text: string) {
    try {
      const parsed = parseJavaPattern(text);
      this.#groups = parsed.groups;
      this.#names = parsed.names;
      this.#matcher = new JavaMatcher(parsed);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new ConfigError("config.invalid", "the pattern is too long or too deep", { cause });
    }
  }

  /** Whether the whole text fits. @throws RecordError where that would take too long to find out */
  matches(text: string): boolean {
    return this.#matcher.matches(text);
  }

  /**
   * The text with the first part that fits replaced; `$1` and `${name}` stand for groups, a backslash
   * takes the meaning from the character after it.
   * @throws RecordError with Java's text for a reference to no group, and as `matches`
   */
  replaceFirst(text: string, replacement: string): string {
    if (!this.#matcher.find(text)) return text;
    const { spans } = this.#matcher;
    const [from = 0, to = 0] = spans;
    const group = (number: number): string => {
      const [begin = -1, end = -1] = [spans[2 * number], spans[2 * number + 1]];
      return begin < 0 ? "" : text.slice(begin, end);
    };
    return text.slice(0, from) + this.#expanded(replacement, group) + text.slice(to);
  }

  #expanded(replacement: string, group: (number: number) => string): string {
    let expanded = "";
    let at = 0;
    while (at < replacement.length) {
      const char = replacement.charAt(at);
      if (char === "\\") {
        if (at + 1 === replacement.length) throw illegal("character to be escaped is missing");
        expanded += replacement.charAt(at + 1);
        at += 2;
      } else if (char === "$") {
        const { number, end } = this.#reference(replacement, at + 1);
        expanded += group(number);
        at = end;
      } else {
        expanded += char;
        at += 1;
      }
    }
    return expanded;
  }

  #reference(replacement: string, at: number): { number: number; end: number } {
    if (at === replacement.length) throw illegal("Illegal group reference: group index is missing");
    if (replacement.charAt(at) === "{") return this.#named(replacement, at + 1);
    let number = digitAt(replacement, at);
    if (number < 0) throw illegal("Illegal group reference");
    let end = at + 1;
    // As many digits as make the number of a group; the first is always one.
    for (let digit = digitAt(replacement, end); digit >= 0; digit = digitAt(replacement, end)) {
      if (number * 10 + digit > this.#groups) break;
      number = number * 10 + digit;
      end += 1;
    }
    if (number > this.#groups) {
      throw new RecordError("transform.failed", `No group ${number}`, {
        javaClass: "java.lang.IndexOutOfBoundsException",
      });
    }
    return { number, end };
  }

  #named(replacement: string, at: number): { number: number; end: number } {
    const name = /^[A-Za-z0-9]*/.exec(replacement.slice(at))?.[0] ?? "";
    const end = at + name.length;
    if (name === "") throw illegal("named capturing group has 0 length name");
    if (replacement.charAt(end) !== "}") {
      throw illegal("named capturing group is missing trailing '}'");
    }
    if (/^[0-9]/.test(name)) {
      throw illegal(`capturing group name {${name}} starts with digit character`);
    }
    const number = this.#names.get(name);
    if (number === undefined) throw illegal(`No group with name {${name}}`);
    return { number, end: end + 1 };
  }
}

/** -1 = no digit is there. */
function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - 0x30;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

function illegal(message: string): RecordError {
  return new RecordError("transform.failed", message, {
    javaClass: "java.lang.IllegalArgumentException",
  });
}
