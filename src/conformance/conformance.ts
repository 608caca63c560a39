/** The door of the conformance kit: what is checked, and what a check says. */

/** What a class needs to run in a check. */
export interface ClassSetup {
  /** Connector config; `${scratch}` stands for a folder of the one case. */
  readonly config: Readonly<Record<string, string>>;
  /** Files that are written before the plugin starts: path to content. */
  readonly files: Readonly<Record<string, string>>;
  /**
   * More config for clauses that need the plugin in a certain mood (`retries`, `tooLarge`, …), on top
   * of the usual one. A clause whose situation is not described is skipped.
   */
  readonly situations: Readonly<Record<string, Omit<ClassSetup, "situations">>>;
}

/** The plugin that is judged. */
export interface Subject {
  readonly command: readonly string[];
  /** Where the command runs. */
  readonly directory: string;
  /** plugin.json, where the plugin is a folder. */
  readonly manifest: SubjectManifest | undefined;
  /** By class name. */
  readonly setups: ReadonlyMap<string, ClassSetup>;
  /** For classes that `setups` does not name. */
  readonly setupOfOthers: ClassSetup;
}

/** What the kit reads of plugin.json. */
export interface SubjectManifest {
  readonly name: string;
  readonly version: string;
  readonly classes: readonly ManifestClass[];
}

/** A class as plugin.json lists it. */
export interface ManifestClass {
  readonly className: string;
  readonly kind: string;
  readonly version: string | undefined;
  readonly taskClass: string | undefined;
  readonly validates: boolean;
  readonly config: readonly ManifestKey[];
}

/** A config key as plugin.json lists it. */
export interface ManifestKey {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly defaultValue: string | null;
}

/** `skipped`: the clause does not apply, or cannot be judged with what the check was given. */
export type Verdict = "passed" | "failed" | "skipped";

/** One clause, judged for the program or for one of its classes. */
export interface ClauseResult {
  readonly id: string;
  readonly title: string;
  /** Null: it concerns the program. */
  readonly className: string | null;
  readonly verdict: Verdict;
  /** What was seen where it failed, why where it was skipped, else empty. */
  readonly seen: string;
  /** The sentence of the contract that it checks. */
  readonly rule: string;
  /** Where that sentence stands. */
  readonly place: string;
  /** What usually mends it. */
  readonly hint: string;
  readonly tookMs: number;
}

/** What a whole check says. */
export interface ConformanceReport {
  readonly plugin: { readonly name: string; readonly version: string };
  readonly command: readonly string[];
  readonly results: readonly ClauseResult[];
  readonly tookMs: number;
}

/** How a check is done. */
export interface CheckOptions {
  /** Beginnings of clause ids; empty = all. */
  readonly only: readonly string[];
  /** How long the kit waits for what the contract gives no deadline for. */
  readonly answerMsMax: number;
  /** How many cases run side by side, each with a process of its own. */
  readonly casesAtOnceMax: number;
  /** Called as each case ends. */
  readonly onResult?: (result: ClauseResult, done: number, total: number) => void;
}
