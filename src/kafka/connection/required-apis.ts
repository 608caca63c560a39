/** What a broker must know before anything is asked of it. */
import type { Api } from "../protocol/api.ts";
import { type BrokerVersions, commonVersion } from "../protocol/api-versions.ts";
import { fetch } from "../protocol/fetch.ts";
import { findCoordinator } from "../protocol/find-coordinator.ts";
import { heartbeat } from "../protocol/heartbeat.ts";
import { initProducerId } from "../protocol/init-producer-id.ts";
import { joinGroup } from "../protocol/join-group.ts";
import { leaveGroup } from "../protocol/leave-group.ts";
import { listOffsets } from "../protocol/list-offsets.ts";
import { metadata } from "../protocol/metadata.ts";
import { offsetCommit } from "../protocol/offset-commit.ts";
import { offsetFetch } from "../protocol/offset-fetch.ts";
import { produce } from "../protocol/produce.ts";
import { syncGroup } from "../protocol/sync-group.ts";

type AnyApi = Api<never, unknown>;

/**
 * Every worker needs these sooner or later, so a broker that lacks one is refused at once. The others
 * (the admin's) are looked at when they are called.
 */
export const requiredApis: readonly AnyApi[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  initProducerId,
];

/** Those of which the broker has no version that this driver has. */
export function missingApis(versions: BrokerVersions): readonly AnyApi[] {
  return requiredApis.filter((api) => commonVersion(api, versions) === undefined);
}
