import type { ConnectRecord } from "../record/connect-record.ts";
import { invalid } from "../record/payload.ts";
import { formatDate, type PatternPart, patternParts } from "./date-pattern.ts";
import { plainKey } from "./plain-key.ts";
import { shownRecord } from "./shown-record.ts";
import type { StageSettings, Transform, TransformFactory } from "./transform.ts";

const mark = (name: string) => `$\{${name}}`;
const topicMark = mark("topic");
const timestampMark = mark("timestamp");

/** Puts a date made of the timestamp into the topic's name. */
class TimestampRouter implements Transform {
  readonly #topicFormat: string;
  readonly #timestampFormat: string;
  #parts: readonly PatternPart[] | undefined;

  constructor(settings: StageSettings) {
    this.#topicFormat = settings.text("topic.format");
    this.#timestampFormat = settings.text("timestamp.format");
  }

  apply(record: ConnectRecord): boolean {
    const { timestamp, topic } = record;
    if (timestamp === null) throw invalid(`Timestamp missing on record: ${shownRecord(record)}`);
    // A bad pattern is found out with the first record, as with Apache's class.
    this.#parts ??= patternParts(this.#timestampFormat);
    const date = formatDate(this.#parts, Number(timestamp));
    // One after the other: a topic that looks like the other placeholder is replaced as well.
    const routed = this.#topicFormat.replaceAll(topicMark, () => topic);
    record.topic = routed.replaceAll(timestampMark, () => date);
    return true;
  }
}

/** `org.apache.kafka.connect.transforms.TimestampRouter` */
export const timestampRouter: TransformFactory = {
  className: "org.apache.kafka.connect.transforms.TimestampRouter",
  touches: [],
  keys: [
    plainKey(
      {
        name: "topic.format",
        type: "STRING",
        importance: "HIGH",
        documentation: `The new topic, with ${topicMark} for the old one and ${timestampMark} for the date.`,
      },
      `${topicMark}-${timestampMark}`,
    ),
    plainKey(
      {
        name: "timestamp.format",
        type: "STRING",
        importance: "HIGH",
        documentation: "How the date is written, in UTC: a pattern of java.text.SimpleDateFormat.",
      },
      "yyyyMMdd",
    ),
  ],
  create: (settings) => new TimestampRouter(settings),
};
