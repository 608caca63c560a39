/** `/`, `/health` and what an orchestrator asks: served as soon as the server listens. */
import { within } from "../base/deadline.ts";
import { errorLine } from "../base/error.ts";
import type { Herder } from "../herder/herder.ts";
import type { Answer } from "./http-error.ts";
import type { Resource } from "./resource.ts";

export interface HealthParts {
  readonly herder: Herder;
  /** Resolves when the log that everything is kept in answers; rejects when it cannot. */
  readonly reachLog: () => Promise<void>;
  /** Of the Connect API that this host speaks: clients switch features by it. */
  readonly version: string;
  readonly commit: string;
  readonly healthMsMax: number;
}

/** The resources. */
export function healthResources(parts: HealthParts): readonly Resource[] {
  const { herder, version, commit, healthMsMax } = parts;
  const startedAt = new Date();
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
      methods: {
        GET: { always: true, handle: () => health(herder, healthMsMax, startedAt) },
      },
    },
    {
      path: "/bulkhead/live",
      methods: {
        GET: { always: true, handle: async () => ({ status: 200, body: { status: "live" } }) },
      },
    },
    {
      path: "/bulkhead/ready",
      methods: { GET: { always: true, handle: () => ready(parts) } },
    },
  ];
}

/** How far a worker is that was asked for a sign of life. */
type Pulse = { at: "starting" } | { at: "alive" } | { at: "dead"; reason: string };

/** Waits for a turn of the herder's loop. */
async function pulseOf(herder: Herder, msMax: number): Promise<Pulse> {
  let late: Pulse = { at: "starting" };
  const work = async (): Promise<Pulse> => {
    await herder.ready;
    late = { at: "dead", reason: `it did not answer within ${msMax} ms` };
    await herder.ping();
    return { at: "alive" };
  };
  const failed = (error: unknown): Pulse => ({ at: "dead", reason: errorLine(error) });
  return within(work().catch(failed), msMax, undefined).then((pulse) => pulse ?? late);
}

/** As Connect's, whose body is no error body. */
async function health(herder: Herder, msMax: number, startedAt: Date): Promise<Answer> {
  const pulse = await pulseOf(herder, msMax);
  switch (pulse.at) {
    case "alive":
      return worker(
        200,
        "healthy",
        "Worker has completed startup and is ready to handle requests.",
      );
    case "starting":
      return worker(
        503,
        "starting",
        `Worker is still starting up. The worker is currently awaiting startup, which began at ${startedAt.toISOString()}.`,
      );
    case "dead":
      return worker(
        500,
        "unhealthy",
        "Worker was unable to handle this request and may be unable to handle other requests.",
      );
  }
}

function worker(status: number, word: string, message: string): Answer {
  return { status, body: { status: word, message } };
}

/** Ours, for readiness probes: 503 with everything that is missing. */
async function ready({ herder, reachLog, healthMsMax }: HealthParts): Promise<Answer> {
  const msMax = Math.min(healthMsMax, readyMsMax);
  const [pulse, log] = await Promise.all([
    pulseOf(herder, msMax),
    within(reachLog().then(fine, errorLine), msMax, `it did not answer within ${msMax} ms`),
  ]);
  const missing: { part: string; reason: string }[] = [];
  if (pulse.at === "starting") {
    missing.push({ part: "herder", reason: "it is still reading what the worker shall run" });
  } else if (pulse.at === "dead") missing.push({ part: "herder", reason: pulse.reason });
  if (log !== undefined) missing.push({ part: "log", reason: log });
  const isReady = missing.length === 0;
  return {
    status: isReady ? 200 : 503,
    body: { status: isReady ? "ready" : "not ready", missing },
  };
}

/** Shorter than the patience of the usual probe. */
const readyMsMax = 2_000;

const fine = () => undefined;
