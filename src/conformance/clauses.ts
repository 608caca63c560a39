import { configClauses } from "./cases/config.ts";
import { connectorClauses } from "./cases/connector.ts";
import { handshakeClauses } from "./cases/handshake.ts";
import { sessionClauses } from "./cases/session.ts";
import { sinkClauses } from "./cases/sink.ts";
import { sinkDataClauses } from "./cases/sink-data.ts";
import { sinkEpochClauses } from "./cases/sink-epoch.ts";
import { sourceClauses } from "./cases/source.ts";
import { sourceEndClauses } from "./cases/source-end.ts";
import { stageClauses } from "./cases/stage.ts";
import { taskClauses } from "./cases/task.ts";
import type { Clause } from "./clause.ts";

/** Every clause, in the order of a plugin's life. */
export const clauses: readonly Clause[] = [
  ...handshakeClauses,
  ...sessionClauses,
  ...configClauses,
  ...connectorClauses,
  ...taskClauses,
  ...sourceClauses,
  ...sourceEndClauses,
  ...sinkClauses,
  ...sinkDataClauses,
  ...sinkEpochClauses,
  ...stageClauses,
];
