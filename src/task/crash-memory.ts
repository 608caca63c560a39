/** What is known of records that kill their plugin, over the restarts of tasks. */
import { createHash } from "node:crypto";
import { CrashSuspects } from "./crash-suspects.ts";
import type { TaskSpec } from "./task.ts";

/** I5: so many connectors are remembered; the one that was started longest ago goes first. */
const connectorsMax = 1_000;

/** Our extension key, and what holds without it. */
export const quarantineKey = "errors.quarantine.crashes";
const crashesDefault = 3;

/** One per host. What it knows ends with the host, and with the config that it was learnt under. */
export class CrashMemory {
  readonly #known = new Map<string, { readonly digest: string; suspects: CrashSuspects }>();

  /** Undefined for sources, and where the connector's config turns it off. */
  of(spec: TaskSpec): CrashSuspects | undefined {
    const { connector } = spec.id;
    const text = spec.connectorConfig[quarantineKey]?.trim();
    const crashesMax = Number(text || crashesDefault);
    if (spec.kind === "source" || crashesMax === 0) return undefined;
    // A digest, since configs hold secrets.
    const config = JSON.stringify(spec.connectorConfig);
    const digest = createHash("sha256").update(config).digest("base64");
    const known = this.#known.get(connector);
    const suspects = known?.digest === digest ? known.suspects : new CrashSuspects(crashesMax);
    this.#known.delete(connector);
    this.#known.set(connector, { digest, suspects });
    const [oldest] = this.#known.keys();
    if (this.#known.size > connectorsMax && oldest !== undefined) this.#known.delete(oldest);
    return suspects;
  }
}
