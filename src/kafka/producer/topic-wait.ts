/** How long records wait for a topic that is not there, and when waiting is of no use. */
import { brokerCode, isRetriableCode } from "../broker-error.ts";
import type { ProducerSettings } from "./producer-settings.ts";

/** A cluster that moves things about forgets a topic for seconds, not for so long. */
const topicGoneMsMax = 30_000;

/** For a topic that never existed, or for one that did (`wasKnown`). */
export function topicWaitMsMax(settings: ProducerSettings, wasKnown: boolean): number {
  const waitMs = Math.min(settings.topicWaitMsMax, settings.deliveryMsMax);
  return wasKnown ? Math.min(waitMs, topicGoneMsMax) : waitMs;
}

/** By the code that the cluster answered for the topic; 0 = none so far. */
export function isWorthWaiting(code: number): boolean {
  return code === brokerCode.none || isRetriableCode(code);
}
