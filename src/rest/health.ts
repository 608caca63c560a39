/** `/` and `/health`: served as soon as the server listens. */
import { within } from "../base/deadline.ts";
import type { Herder } from "../herder/herder.ts";
import type { Answer } from "./http-error.ts";
import type { Resource } from "./resource.ts";

export interface HealthParts {
  readonly herder: Herder;
  /** Of the Connect API that this host speaks: clients switch features by it. */
  readonly version: string;
  readonly commit: string;
  readonly healthMsMax: number;
}

/** The resources. */
export function healthResources(parts: HealthParts): readonly Resource[] {
  const { herder, version, commit, healthMsMax } = parts;
  return [
    {
      path: "/",
      methods: {
        GET: {
          always: true,
          handle: async () => ({
            status: 200,
            body: { version, commit, kafka_cluster_id: herder.kafkaClusterId },
          }),
        },
      },
    },
    {
      path: "/health",
      methods: { GET: { always: true, handle: () => health(herder, healthMsMax) } },
    },
  ];
}

type Pulse = "starting" | "alive" | "dead";

async function health(herder: Herder, msMax: number): Promise<Answer> {
  let pulse: Pulse = "starting";
  const work = (async () => {
    await herder.ready;
    pulse = "dead";
    await herder.ping();
    pulse = "alive";
  })();
  const failure = await within(
    work.then(
      () => undefined,
      () => "failed",
    ),
    msMax,
    "late",
  );
  return failure === undefined ? answers.alive : answers[pulse];
}

const answers: Readonly<Record<Pulse, Answer>> = {
  alive: {
    status: 200,
    body: {
      status: "healthy",
      message: "Worker has completed startup and is ready to handle requests.",
    },
  },
  starting: {
    status: 503,
    body: { status: "starting", message: "Worker is still starting up." },
  },
  dead: {
    status: 500,
    body: {
      status: "unhealthy",
      message:
        "Worker was unable to handle this request and may be unable to handle other requests.",
    },
  },
};
