import { TaskError } from "../../base/error.ts";
import type { Api } from "./api.ts";

/** What a broker said it can read and write, by the API's number. */
export type BrokerVersions = ReadonlyMap<number, { readonly min: number; readonly max: number }>;

/** The highest version that both know; undefined when there is none. */
export function commonVersion(
  api: Api<never, unknown>,
  versions: BrokerVersions,
): number | undefined {
  const theirs = versions.get(api.key);
  if (theirs === undefined) return undefined;
  const highest = Math.min(api.versions.max, theirs.max);
  return highest < Math.max(api.versions.min, theirs.min) ? undefined : highest;
}

/** `broker` as in messages. All that does not fit is told at once. */
export function versionsUnsupported(
  broker: string,
  apis: readonly Api<never, unknown>[],
  versions: BrokerVersions,
): TaskError {
  const each = apis.map((api) => {
    const theirs = versions.get(api.key);
    const has = theirs === undefined ? "does not know it" : `has ${range(theirs)}`;
    return `${api.name} (the broker ${has}, this driver ${range(api.versions)})`;
  });
  // A controller speaks to brokers only; its port is easily taken for theirs.
  const isController = !versions.has(produceKey);
  return new TaskError(
    "kafka.version_unsupported",
    `cannot talk to ${broker}: there is no version that both know of ${each.join(", ")}`,
    {
      hint: isController
        ? "this may be the port of a controller: give those of brokers in bootstrap.servers"
        : "use brokers of Apache Kafka 2.4 or newer, or a newer version of Bulkhead",
    },
  );
}

const produceKey = 0;

function range({ min, max }: { min: number; max: number }): string {
  return min === max ? `version ${min}` : `versions ${min} to ${max}`;
}
