/** What a consumer's config says about its group, under Java's names and with Java's defaults. */

import { wholeNumber, wrongKey } from "../connection/client-config.ts";
import type { ClientConfig } from "../kafka.ts";
import { cooperativeStickyAssignor } from "./assign-cooperative-sticky.ts";
import { rangeAssignor } from "./assign-range.ts";
import type { Assignor } from "./assignor.ts";
import type { GroupTiming } from "./group-timing.ts";

export interface GroupSettings {
  readonly timing: GroupTiming;
  readonly instanceId: string | null;
  /** The preferred one first. */
  readonly assignors: readonly Assignor[];
  readonly mayCreateTopics: boolean;
  readonly mapAgeMsMax: number;
  /** How long a commit, or finding out where to begin, is tried. */
  readonly apiTimeoutMs: number;
}

const known = [rangeAssignor, cooperativeStickyAssignor];

/** @throws ConfigError that names the key */
export function groupSettings(config: ClientConfig = {}): GroupSettings {
  const protocol = config["group.protocol"]?.trim().toLowerCase() ?? "classic";
  if (protocol !== "classic") {
    throw wrongKey("group.protocol", `${JSON.stringify(protocol)} is not supported, only classic`);
  }
  const timing = {
    sessionTimeoutMs: wholeNumber(config, "session.timeout.ms", 45_000, 1),
    heartbeatIntervalMs: wholeNumber(config, "heartbeat.interval.ms", 3_000, 1),
    rebalanceTimeoutMs: wholeNumber(config, "max.poll.interval.ms", 300_000, 1),
    requestTimeoutMs: wholeNumber(config, "request.timeout.ms", 30_000, 1),
    retryBackoffMs: wholeNumber(config, "retry.backoff.ms", 100, 1),
    retryBackoffMsMax: wholeNumber(config, "retry.backoff.max.ms", 1_000, 1),
  };
  if (timing.heartbeatIntervalMs >= timing.sessionTimeoutMs) {
    const why = `${timing.heartbeatIntervalMs} is not below session.timeout.ms`;
    throw wrongKey("heartbeat.interval.ms", `${why} (${timing.sessionTimeoutMs})`);
  }
  return {
    timing,
    instanceId: instanceIdOf(config),
    assignors: assignorsOf(config),
    mayCreateTopics: config["allow.auto.create.topics"]?.trim().toLowerCase() !== "false",
    mapAgeMsMax: wholeNumber(config, "metadata.max.age.ms", 300_000, 1),
    apiTimeoutMs: wholeNumber(config, "default.api.timeout.ms", 60_000),
  };
}

function instanceIdOf(config: ClientConfig): string | null {
  const id = config["group.instance.id"];
  if (id === undefined) return null;
  // The rule of Kafka's Topic.validate, which Java applies here too.
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(id) && id !== "." && id !== "..") return id;
  const rule = "must be 1 to 249 letters, digits, '.', '_' or '-', and not '.' or '..'";
  throw wrongKey("group.instance.id", `${JSON.stringify(id)} ${rule}`);
}

/** Java's default offers both, so that a group can be moved to cooperative-sticky without a stop. */
function assignorsOf(config: ClientConfig): readonly Assignor[] {
  const text = config["partition.assignment.strategy"];
  if (text === undefined) return known;
  const names = text.split(",").map((name) => name.trim());
  const found = [...new Set(names)].map((name) => {
    const assignor = known.find(({ javaClass }) => javaClass === name);
    if (assignor !== undefined) return assignor;
    const classes = known.map(({ javaClass }) => javaClass).join(" and ");
    throw wrongKey("partition.assignment.strategy", `${name} is not there, only ${classes}`);
  });
  return found;
}
