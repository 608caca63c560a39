/**
 * Runs one task of a connector in memory, without a host and without Kafka: for tests. It is the SDK's
 * own task code; only the stream is in memory, and time stands still until it is told to pass.
 */
import type { SinkClass } from "../sink.ts";
import type { SourceClass } from "../source.ts";
import { SinkHarness } from "./sink-harness.ts";
import { SourceHarness } from "./source-harness.ts";
import type { HarnessOptions } from "./task-harness.ts";

export type { HarnessClock } from "./harness-clock.ts";
export type { PutRecord, Reported, SinkHarness } from "./sink-harness.ts";
export type { ReadRecord, SourceHarness } from "./source-harness.ts";
export { HarnessError, type HarnessOptions, type LoggedLine } from "./task-harness.ts";

/** Keys as a config file spells them. */
export type HarnessConfig = Readonly<
  Record<string, string | number | boolean | readonly (string | number)[]>
>;

/**
 * A task of a source or a sink, started.
 * @throws HarnessError with what its `start` threw, or what is wrong with the config
 */
export function harness(
  plugin: SourceClass,
  config?: HarnessConfig,
  options?: HarnessOptions,
): Promise<SourceHarness>;
export function harness(
  plugin: SinkClass,
  config?: HarnessConfig,
  options?: HarnessOptions,
): Promise<SinkHarness>;
export async function harness(
  plugin: SourceClass | SinkClass,
  config: HarnessConfig = {},
  options: HarnessOptions = {},
): Promise<SourceHarness | SinkHarness> {
  const texts = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, String(value)]),
  );
  const made =
    plugin.kind === "source"
      ? new SourceHarness(plugin.definition, texts, options)
      : new SinkHarness(plugin.definition, texts, options);
  await made.begin();
  return made;
}
