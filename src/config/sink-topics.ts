/** The rules between `topics`, `topics.regex` and the dead letter topic of a sink. */
import { JavaPattern } from "../base/java-pattern.ts";
import type { CheckedValue } from "./parse.ts";

/** Adds its errors to the checked values. */
export function checkSinkTopics(checked: Map<string, CheckedValue>): void {
  const topics = checked.get("topics");
  const regex = checked.get("topics.regex");
  if (!topics || !regex) return;
  // Connect takes empty items as a list that is given: `topics=,` passes.
  const list = Array.isArray(topics.value) ? topics.value : [];
  const pattern = typeof regex.value === "string" ? regex.value : "";
  if (list.length > 0 && pattern !== "") {
    both("topics and topics.regex are mutually exclusive options, but both are set.");
  }
  if (list.length === 0 && pattern === "") both("Must configure one of topics or topics.regex");
  checkDeadLetters();

  function both(message: string): void {
    topics?.errors.push(message);
    regex?.errors.push(message);
  }

  function checkDeadLetters(): void {
    const name = checked.get("errors.deadletterqueue.topic.name")?.value;
    if (typeof name !== "string" || name === "") return;
    const named = [...new Set(list.filter((topic) => topic !== ""))];
    if (named.includes(name)) {
      topics?.errors.push(
        `The DLQ topic '${name}' may not be included in the list of topics ('topics=[${named.join(", ")}]') consumed by the connector`,
      );
    }
    if (pattern !== "" && matchesWhole(pattern, name)) {
      regex?.errors.push(
        `The DLQ topic '${name}' may not be matched by the regex for the topics ('topics.regex=${pattern}') consumed by the connector`,
      );
    }
  }
}

function matchesWhole(pattern: string, text: string): boolean {
  try {
    return new JavaPattern(pattern).matches(text);
  } catch {
    // A pattern that cannot be read has its own error.
    return false;
  }
}
