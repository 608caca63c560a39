import { JavaPattern } from "../base/java-pattern.ts";
import { LruMap } from "../convert/lru-map.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { nonEmptyExpression, plainRequired } from "./plain-key.ts";
import type { Predicate, PredicateFactory } from "./transform.ts";

/** More than most connectors have topics. */
const topicsMax = 1_000;

/** Whether the whole name of the topic matches a regular expression. */
class TopicNameMatches implements Predicate {
  readonly #pattern: JavaPattern;
  readonly #matches = new LruMap<string, boolean>(topicsMax);

  constructor(pattern: string) {
    this.#pattern = new JavaPattern(pattern);
  }

  test({ topic }: ConnectRecord): boolean {
    let isMatch = this.#matches.get(topic);
    if (isMatch === undefined) {
      isMatch = this.#pattern.matches(topic);
      this.#matches.set(topic, isMatch);
    }
    return isMatch;
  }
}

/** `org.apache.kafka.connect.transforms.predicates.TopicNameMatches` */
export const topicNameMatches: PredicateFactory = {
  className: "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
  touches: [],
  keys: [
    plainRequired(
      {
        name: "pattern",
        type: "STRING",
        importance: "MEDIUM",
        documentation:
          "The regular expression, in Java's notation, that the whole topic must match.",
      },
      nonEmptyExpression,
    ),
  ],
  create: (settings) => new TopicNameMatches(settings.text("pattern")),
};
