import { JavaPattern } from "../base/java-pattern.ts";
import { LruMap } from "../convert/lru-map.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { plainRequired, regularExpression } from "./plain-key.ts";
import type { StageSettings, Transform, TransformFactory } from "./transform.ts";

/** More than most connectors have topics. */
const topicsMax = 1_000;

/** Gives a topic another name, by a regular expression that has to fit the whole of it. */
class RegexRouter implements Transform {
  readonly #pattern: JavaPattern;
  readonly #replacement: string;
  /** What became of each topic. */
  readonly #routes = new LruMap<string, string>(topicsMax);

  constructor(settings: StageSettings) {
    this.#pattern = new JavaPattern(settings.text("regex"));
    this.#replacement = settings.text("replacement");
  }

  apply(record: ConnectRecord): boolean {
    const { topic } = record;
    let route = this.#routes.get(topic);
    if (route === undefined) {
      route = this.#route(topic);
      this.#routes.set(topic, route);
    }
    record.topic = route;
    return true;
  }

  /** What is replaced is the first part that fits, which need not be the whole. */
  #route(topic: string): string {
    if (!this.#pattern.matches(topic)) return topic;
    return this.#pattern.replaceFirst(topic, this.#replacement);
  }
}

const keys = [
  plainRequired(
    {
      name: "regex",
      type: "STRING",
      importance: "HIGH",
      documentation: "The regular expression, in Java's notation, that the whole topic must match.",
    },
    regularExpression,
  ),
  plainRequired({
    name: "replacement",
    type: "STRING",
    importance: "HIGH",
    documentation:
      "The new topic. $1 stands for what the first group matched; groups with names work as well.",
  }),
];

/** `org.apache.kafka.connect.transforms.RegexRouter` */
export const regexRouter: TransformFactory = {
  className: "org.apache.kafka.connect.transforms.RegexRouter",
  touches: [],
  keys,
  create: (settings) => new RegexRouter(settings),
};
