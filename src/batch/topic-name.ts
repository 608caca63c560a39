/** Kafka's rules for the names of topics. */
import { TaskError } from "../base/error.ts";

/** `kafka.topic_invalid` with the rule that the name breaks; undefined for one that a topic may have. */
export function topicNameError(name: string): TaskError | undefined {
  const fault =
    name === ""
      ? "its name is empty"
      : name === "." || name === ".."
        ? 'its name cannot be "." or ".."'
        : name.length > 249
          ? `its name has ${name.length} characters, at most 249 are allowed`
          : /[^a-zA-Z0-9._-]/.test(name)
            ? "its name has a character other than ASCII letters, digits, '.', '_' and '-'"
            : undefined;
  if (fault === undefined) return undefined;
  return new TaskError("kafka.topic_invalid", `cannot use topic "${name}": ${fault}`);
}
