/** `/connectors/{name}/topics`: the topics that a connector's tasks use. */
import { RequestError } from "../base/error.ts";
import type { Herder } from "../herder/herder.ts";
import { param, type Resource } from "./resource.ts";

/** What the worker allows. */
export interface TopicTracking {
  readonly isOn: boolean;
  readonly mayReset: boolean;
}

const everything: TopicTracking = { isOn: true, mayReset: true };

/** Connect knows no unknown connector here: it has used no topics. */
export function topicResources(
  herder: Herder,
  { isOn, mayReset }: TopicTracking = everything,
): readonly Resource[] {
  return [
    {
      path: "/connectors/:name/topics",
      methods: {
        GET: {
          handle: async (call) => {
            if (!isOn) throw forbidden("Topic tracking is disabled.");
            const name = param(call, "name");
            return { status: 200, body: { [name]: { topics: herder.activeTopics(name) } } };
          },
        },
      },
    },
    {
      path: "/connectors/:name/topics/reset",
      methods: {
        PUT: {
          handle: async (call) => {
            if (!isOn) throw forbidden("Topic tracking is disabled.");
            if (!mayReset) throw forbidden("Topic tracking reset is disabled.");
            await herder.resetActiveTopics(param(call, "name"));
            return { status: 202 };
          },
        },
      },
    },
  ];
}

function forbidden(message: string): RequestError {
  return new RequestError("rest.forbidden", message, { status: 403 });
}
