import { plainRequired } from "./plain-key.ts";
import type { PredicateFactory } from "./transform.ts";

/** `org.apache.kafka.connect.transforms.predicates.HasHeaderKey` */
export const hasHeaderKey: PredicateFactory = {
  className: "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
  touches: ["headers"],
  keys: [
    plainRequired(
      {
        name: "name",
        type: "STRING",
        importance: "MEDIUM",
        documentation: "The name of the header that a record must have.",
      },
      { validator: { at: "non-empty" } },
    ),
  ],
  create: (settings) => {
    const wanted = settings.textOrNull("name");
    return {
      test({ headers }) {
        for (const { name } of headers) if (name === wanted) return true;
        return false;
      },
    };
  },
};
