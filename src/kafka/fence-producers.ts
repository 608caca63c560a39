/** Shuts out whoever writes under a transactional id, as Java's `Admin.fenceProducers` (KIP-618). */
import { RetriableError } from "../base/error.ts";
import { brokerError } from "./broker-error.ts";
import type { ClusterMap, Connections } from "./calls.ts";
import { initProducerId } from "./protocol/init-producer-id.ts";

/** Nobody will write under the new epoch; Java sends its request time-out here. */
const transactionMsMax = 30_000;

/**
 * One attempt: the coordinator raises the id's epoch and aborts what is open under the old one, so that
 * everything its holder sends from then on is refused.
 * @throws RetriableError while the coordinator moves or the open transaction ends
 */
export async function fenceProducer(
  transactionalId: string,
  { map, connections }: { map: ClusterMap; connections: Connections },
): Promise<void> {
  const key = { kind: "transaction", id: transactionalId } as const;
  const node = await map.coordinator(key);
  try {
    const request = { transactionalId, transactionTimeoutMs: transactionMsMax };
    const { errorCode } = await connections.call({ at: "node", node }, initProducerId, request);
    if (errorCode === 0) return;
    throw brokerError(errorCode, fencing(transactionalId));
  } catch (error) {
    // It may have moved, or be gone for good and another one in charge.
    if (error instanceof RetriableError) map.forgetCoordinator(key);
    throw error;
  }
}

/** What is being done, for messages. */
export function fencing(transactionalId: string): string {
  return `fence the producers of transactional id ${transactionalId}`;
}
