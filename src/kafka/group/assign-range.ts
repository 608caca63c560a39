import type { TopicPartition } from "../kafka.ts";
import { type Assignor, inOrder } from "./assignor.ts";

/** Of each topic every member gets a run of neighbouring partitions; the first ones get one more. */
export const rangeAssignor: Assignor = {
  name: "range",
  javaClass: "org.apache.kafka.clients.consumer.RangeAssignor",
  isCooperative: false,
  assign(readers, partitionCounts) {
    const members = inOrder(readers);
    const sharing = new Map(members.map(({ memberId }) => [memberId, [] as TopicPartition[]]));
    for (const [topic, count] of [...partitionCounts].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const wanting = members.filter((member) => member.topics.includes(topic));
      let partition = 0;
      for (const [n, { memberId }] of wanting.entries()) {
        const share = Math.floor(count / wanting.length) + (n < count % wanting.length ? 1 : 0);
        for (const end = partition + share; partition < end; partition += 1) {
          sharing.get(memberId)?.push({ topic, partition });
        }
      }
    }
    return sharing;
  },
};
