import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type MetricBatchSchema,
  type MetricDescriptorSchema,
  MetricType,
} from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { Log } from "./log.ts";

/** A number that only grows. */
export interface Counter {
  /** @throws RangeError for what is negative or no number */
  add(amount?: number): void;
  readonly value: number;
}

/** A number that goes up and down. */
export interface Gauge {
  /** @throws RangeError for what is no number */
  set(value: number): void;
  readonly value: number;
}

export interface MetricOptions {
  /** What it measures, for people. */
  readonly doc?: string;
  /** Connector and task are added. */
  readonly tags?: Readonly<Record<string, string | number | boolean>>;
}

/**
 * A task's own numbers, by name and tags: the same ones give the same metric. They go to the host with
 * the heartbeats, a thousand in a process at most.
 *
 * @throws RangeError for a name that is none, more than 20 tags, or a metric that is of the other kind
 */
export interface Metrics {
  counter(name: string, options?: MetricOptions): Counter;
  gauge(name: string, options?: MetricOptions): Gauge;
}

type Batch = MessageInitShape<typeof MetricBatchSchema>;
type Descriptor = MessageInitShape<typeof MetricDescriptorSchema>;
type Kind = "counter" | "gauge";

// I5: user code may name a metric after what it reads. The rest goes nowhere, which is told once.
const seriesMax = 1_000;
const tagsMax = 20;
const textCharsMax = 1_000;
const namePattern = /^[A-Za-z_][A-Za-z0-9_.-]{0,199}$/;

/** Of one task. */
interface Series {
  readonly kind: Kind;
  readonly descriptor: Descriptor & { id: number; tags: { name: string; value: string }[] };
  readonly metric: Metric;
  isDescribed: boolean;
  sent: number | undefined;
}

class Metric implements Counter, Gauge {
  value = 0;

  add(amount = 1): void {
    if (!(amount >= 0 && Number.isFinite(amount))) {
      throw new RangeError(`a counter cannot grow by ${amount}`);
    }
    this.value += amount;
  }

  set(value: number): void {
    if (typeof value !== "number" || Number.isNaN(value)) {
      throw new RangeError(`a gauge cannot be ${value}`);
    }
    this.value = value;
  }
}

/** All of a process, over its tasks. */
export class MetricRegistry {
  readonly #tasks = new Set<Map<string, Series>>();
  #removed: number[] = [];
  #lastId = 0;
  #isFullTold = false;

  /** A task's; `close` when it is over. */
  open(connector: string, task: number, log: Log): { metrics: Metrics; close(): void } {
    const own = new Map<string, Series>();
    this.#tasks.add(own);
    const find = (kind: Kind, name: string, { doc = "", tags = {} }: MetricOptions = {}) => {
      const series = seriesOf(kind, name, { connector, task, ...tags }, doc);
      const key = JSON.stringify([name, series.descriptor.tags]);
      const known = own.get(key);
      if (known === undefined) {
        if (this.#hasRoom(name, log)) {
          this.#lastId += 1;
          series.descriptor.id = this.#lastId;
          own.set(key, series);
        }
        return series.metric;
      }
      if (known.kind !== kind) throw new RangeError(`metric ${name} is a ${known.kind} already`);
      return known.metric;
    };
    return {
      metrics: {
        counter: (name, options) => find("counter", name, options),
        gauge: (name, options) => find("gauge", name, options),
      },
      close: () => {
        if (!this.#tasks.delete(own)) return;
        for (const { isDescribed, descriptor } of own.values()) {
          if (isDescribed) this.#removed.push(descriptor.id);
        }
      },
    };
  }

  /** What has changed since the last one; undefined = nothing. */
  batch(): Batch | undefined {
    const descriptors: Descriptor[] = [];
    const values: { id: number; value: number }[] = [];
    for (const own of this.#tasks) {
      for (const series of own.values()) {
        const { descriptor, metric } = series;
        if (!series.isDescribed) descriptors.push(descriptor);
        if (series.sent !== metric.value) values.push({ id: descriptor.id, value: metric.value });
        series.isDescribed = true;
        series.sent = metric.value;
      }
    }
    const removed = this.#removed;
    this.#removed = [];
    if (values.length === 0 && removed.length === 0) return undefined;
    return { descriptors, values, removed };
  }

  #hasRoom(name: string, log: Log): boolean {
    let count = 0;
    for (const own of this.#tasks) count += own.size;
    if (count < seriesMax) return true;
    if (!this.#isFullTold) {
      log.warn(`there are ${seriesMax} metrics already: ${name} and further ones are not sent`);
    }
    this.#isFullTold = true;
    return false;
  }
}

function seriesOf(
  kind: Kind,
  name: string,
  tags: Readonly<Record<string, unknown>>,
  doc: string,
): Series {
  if (!namePattern.test(name)) {
    const shown = JSON.stringify(String(name).slice(0, 100));
    throw new RangeError(`a metric cannot be called ${shown}: letters, digits and _ . - please`);
  }
  const entries = Object.entries(tags);
  if (entries.length > tagsMax + 2) {
    throw new RangeError(`metric ${name} has ${entries.length - 2} tags; the limit is ${tagsMax}`);
  }
  const descriptor = {
    id: 0,
    name,
    tags: entries.map(([tag, value]) => ({ name: clean(tag), value: clean(value) })),
    type: kind === "counter" ? MetricType.COUNTER : MetricType.GAUGE,
    documentation: clean(doc),
  };
  return { kind, descriptor, metric: new Metric(), isDescribed: false, sent: undefined };
}

/** protobuf refuses a lone surrogate. */
function clean(text: unknown): string {
  return Buffer.from(String(text).slice(0, textCharsMax)).toString();
}
