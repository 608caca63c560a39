import type { Liveness } from "./liveness.ts";
import type { ExitReason, ProcessView } from "./plugin.ts";
import type { Session } from "./session.ts";

/** What a process that the host started and one that came by itself have in common. */
export interface PluginEnd {
  readonly pid: number;
  readonly at: ProcessView["at"];
  /** Started by the host: it may look at it and kill it. Else the pid is only what the plugin says. */
  readonly isOurs: boolean;
  /** Undefined unless it is ready for work. */
  readonly session: Session | undefined;
  /** For stopping what runs in it: also there when it is condemned. */
  readonly stopSession: Session | undefined;
  /** Ready, and its session has not ended. */
  readonly isUsable: boolean;
  readonly liveness: Pick<Liveness, "silentMs" | "stalled"> | undefined;
  /** Resolves when it is gone; never rejects. */
  readonly exited: Promise<ExitReason>;
  /** Fires, with the reason, when streams of its tasks that are still open have to end: nobody kills it. */
  readonly streamsOver?: AbortSignal;
  /** Why it is gone, when its end is near or past; undefined when it seems to live on. */
  whyGone(): Promise<string | undefined>;
  /** Takes no new requests but stops; whoever condemns it kills it soon. */
  condemn(reason: string): void;
  /** Asks it to end, and makes sure that it does. */
  end(reason: string): Promise<void>;
  /** Ends it at once; of one that is not ours, its session. */
  kill(reason: string): Promise<void>;
}
