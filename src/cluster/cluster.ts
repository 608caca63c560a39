/** Who is in the group and who runs what. */
import type { ClusterState } from "../state/cluster-state.ts";
import type { ConnectorName } from "../state/id.ts";

/** What this worker shall run. */
export interface Assignment {
  /** Of the group; goes into statuses. */
  readonly generation: number;
  /** This worker writes what one worker writes for all: it removes the statuses of what is gone. */
  readonly leads: boolean;
  readonly connectors: ReadonlySet<ConnectorName>;
  /** As `taskText` prints them. */
  readonly tasks: ReadonlySet<string>;
}

/** A group of workers as one of them sees it. */
export interface Membership {
  assignment(state: ClusterState): Assignment;
}
