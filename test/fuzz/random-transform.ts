/** Random requests of `bulkhead transform --json-lines`: any transforms with any settings on any record. */
import { chainConfig, everyPart, randomStep } from "./random-chain.ts";
import { Choice, type Random } from "./random-choice.ts";
import { RandomRecords } from "./random-record.ts";

/** One request as its line of JSON. Names are few, so that settings and records meet. */
export function randomRequest(random: Random): string {
  const choice = new Choice(random);
  const steps = [randomStep(choice, everyPart, 0.15)];
  if (choice.chance(0.2)) steps.push(randomStep(choice, everyPart, 0));
  const records = new RandomRecords(choice);
  const record = records.record(records.kind());
  return `{"op":"transform","transforms":${JSON.stringify(chainConfig(steps))},"record":${record}}`;
}
