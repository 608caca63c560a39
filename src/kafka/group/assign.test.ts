/** The strategies by example and by what holds for every group. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { holds } from "../../../test/harness/property.ts";
import type { TopicPartition } from "../kafka.ts";
import { assignSticky, cooperativeStickyAssignor } from "./assign-cooperative-sticky.ts";
import { rangeAssignor } from "./assign-range.ts";
import type { Reader, Sharing } from "./assignor.ts";

function reader(memberId: string, topics: string, owned = "", generation = 1): Reader {
  return { memberId, instanceId: null, topics: topics.split(""), owned: places(owned), generation };
}

/** `a0 a1` as places. */
function places(text: string): TopicPartition[] {
  const words = text.split(" ").filter((word) => word !== "");
  return words.map((word) => ({ topic: word[0]!, partition: Number(word.slice(1)) }));
}

function plain(sharing: Sharing): Record<string, string> {
  return Object.fromEntries([...sharing].map(([id, each]) => [id, each.map(name).join(" ")]));
}

const name = ({ topic, partition }: TopicPartition) => `${topic}${partition}`;

for (const { what, readers, counts, expect } of [
  {
    what: "neighbouring partitions stay together and the first members get one more",
    readers: [reader("y", "a"), reader("x", "a")],
    counts: { a: 3 },
    expect: { x: "a0 a1", y: "a2" },
  },
  {
    what: "each topic is dealt out by itself",
    readers: [reader("x", "ab"), reader("y", "ab")],
    counts: { a: 1, b: 1 },
    expect: { x: "a0 b0", y: "" },
  },
  {
    what: "only those who want a topic get of it",
    readers: [reader("x", "a"), reader("y", "ab")],
    counts: { a: 2, b: 2 },
    expect: { x: "a0", y: "a1 b0 b1" },
  },
  {
    what: "members with an instance id come first, by that id",
    readers: [
      reader("x", "a"),
      { ...reader("z", "a"), instanceId: "1" },
      { ...reader("y", "a"), instanceId: "2" },
    ],
    counts: { a: 3 },
    expect: { z: "a0", y: "a1", x: "a2" },
  },
]) {
  test(`range: ${what}`, () => {
    const sharing = rangeAssignor.assign(readers, new Map(Object.entries(counts)));
    assert.deepEqual(plain(sharing), { ...expect });
  });
}

for (const { what, readers, counts, expect } of [
  {
    what: "a new member gets nothing before the others have given something up",
    readers: [reader("x", "a", "a0 a1 a2"), reader("y", "a")],
    counts: { a: 3 },
    expect: { x: "a0 a1", y: "" },
  },
  {
    what: "it gets it when they come back without it",
    readers: [reader("x", "a", "a0 a1"), reader("y", "a")],
    counts: { a: 3 },
    expect: { x: "a0 a1", y: "a2" },
  },
  {
    what: "everybody keeps what it has when that is even",
    readers: [reader("x", "a", "a1 a3"), reader("y", "a", "a0 a2")],
    counts: { a: 4 },
    expect: { x: "a1 a3", y: "a0 a2" },
  },
  {
    what: "of two that own the same, the later assignment is right",
    readers: [reader("x", "a", "a0 a1", 4), reader("y", "a", "a0 a1", 5)],
    counts: { a: 2 },
    // a0 is x's again in the next round, when y has come back without it.
    expect: { x: "a1", y: "a0" },
  },
  {
    what: "topics that are gone are given to nobody",
    readers: [reader("x", "ab", "a0 b0")],
    counts: { b: 1 },
    expect: { x: "b0" },
  },
]) {
  test(`cooperative-sticky: ${what}`, () => {
    const sharing = cooperativeStickyAssignor.assign(readers, new Map(Object.entries(counts)));
    assert.deepEqual(plain(sharing), { ...expect });
  });
}

const topicNames = ["a", "b", "c"];
const countsOf = fc
  .array(fc.nat(6), { minLength: 3, maxLength: 3 })
  .map((all) => new Map(topicNames.map((topic, n) => [topic, all[n]!])));
const ownedOf = fc.uniqueArray(
  fc.record({ topic: fc.constantFrom(...topicNames), partition: fc.nat(6) }),
  { selector: name, maxLength: 12 },
);
const groupOf = (topics: fc.Arbitrary<string[]>) =>
  fc
    .array(fc.record({ topics, owned: ownedOf, generation: fc.nat(2) }), {
      minLength: 1,
      maxLength: 6,
    })
    .map((all) => all.map((each, n): Reader => ({ ...each, memberId: `m${n}`, instanceId: null })));
const anyGroup = groupOf(fc.subarray(topicNames));
const evenGroup = groupOf(fc.constant(topicNames));

for (const { strategy, assign } of [
  { strategy: "range", assign: rangeAssignor.assign },
  { strategy: "sticky", assign: assignSticky },
]) {
  test(`${strategy}: every partition that somebody wants has one reader, who wants it`, () => {
    holds(
      fc.property(anyGroup, countsOf, (readers, counts) => {
        const sharing = assign(readers, counts);
        const wanted = [...counts].flatMap(([topic, count]) =>
          readers.some(({ topics }) => topics.includes(topic))
            ? Array.from({ length: count }, (_, partition) => ({ topic, partition }))
            : [],
        );
        assert.deepEqual([...sharing.values()].flat().map(name).sort(), wanted.map(name).sort());
        for (const { memberId, topics } of readers) {
          assert.ok(sharing.get(memberId)!.every(({ topic }) => topics.includes(topic)));
        }
      }),
      300,
    );
  });

  test(`${strategy}: the order of the members does not matter`, () => {
    holds(
      fc.property(anyGroup, countsOf, (readers, counts) => {
        const reversed = assign([...readers].reverse(), new Map([...counts].reverse()));
        assert.deepEqual(plain(assign(readers, counts)), plain(reversed));
      }),
      100,
    );
  });
}

test("sticky: no single move would make the shares more even", () => {
  holds(
    fc.property(anyGroup, countsOf, (readers, counts) => {
      const sharing = assignSticky(readers, counts);
      for (const light of readers) {
        const most = sharing.get(light.memberId)!.length + 1;
        for (const [heavy, each] of sharing) {
          const isMovable = each.some(({ topic }) => light.topics.includes(topic));
          assert.ok(!isMovable || each.length <= most, `${heavy} could give to ${light.memberId}`);
        }
      }
    }),
    300,
  );
});

test("sticky: where all want the same, as much stays as even shares allow", () => {
  holds(
    fc.property(evenGroup, countsOf, (readers, counts) => {
      const owned = withoutDoubles(readers, counts);
      const sharing = assignSticky(owned, counts);
      const partitionCount = [...counts.values()].reduce((sum, count) => sum + count, 0);
      const floor = Math.floor(partitionCount / readers.length);
      const sizes = owned.map((each) => each.owned.length);
      const extra = sizes.filter((size) => size > floor).length;
      const mayKeep = sizes.reduce((sum, size) => sum + Math.min(size, floor), 0);
      const best = mayKeep + Math.min(extra, partitionCount % readers.length);
      const kept = owned.reduce((sum, each) => sum + keptBy(each, sharing), 0);
      assert.equal(kept, best);
    }),
    300,
  );
});

test("cooperative-sticky: nothing is given to one while another reads it, and a few rounds settle it", () => {
  holds(
    fc.property(anyGroup, countsOf, (readers, counts) => {
      let group = withoutDoubles(readers, counts);
      // Where members want different topics, a share that came free may make one more move worth while.
      for (let round = 1; ; round += 1) {
        const sharing = cooperativeStickyAssignor.assign(group, counts);
        for (const [memberId, each] of sharing) {
          const others = group.filter((other) => other.memberId !== memberId);
          const theirs = new Set(others.flatMap(({ owned }) => owned.map(name)));
          assert.ok(each.every((place) => !theirs.has(name(place))));
        }
        const isSettled = group.every((each) => keptBy(each, sharing) === each.owned.length);
        // Who gave something up joins again, owning what it was given.
        group = group.map((each) => ({ ...each, owned: sharing.get(each.memberId)! }));
        if (isSettled) {
          assert.deepEqual(plain(sharing), plain(assignSticky(group, counts)));
          return;
        }
        assert.ok(round < readers.length + 2, `not settled after ${round} rounds`);
      }
    }),
    300,
  );
});

test("cooperative-sticky: where all want the same, two rounds settle it", () => {
  holds(
    fc.property(evenGroup, countsOf, (readers, counts) => {
      const group = withoutDoubles(readers, counts);
      const first = cooperativeStickyAssignor.assign(group, counts);
      const again = group.map((each) => ({ ...each, owned: first.get(each.memberId)! }));
      const second = cooperativeStickyAssignor.assign(again, counts);
      assert.deepEqual(plain(second), plain(assignSticky(again, counts)));
      for (const each of again) assert.equal(keptBy(each, second), each.owned.length);
    }),
    300,
  );
});

/** The same group in a state that it can be in: every partition exists and has one owner at most. */
function withoutDoubles(
  readers: readonly Reader[],
  counts: ReadonlyMap<string, number>,
): readonly Reader[] {
  const taken = new Set<string>();
  return readers.map((each) => {
    const owned = each.owned.filter((place) => {
      const isThere = place.partition < (counts.get(place.topic) ?? 0);
      if (!isThere || taken.has(name(place)) || !each.topics.includes(place.topic)) return false;
      taken.add(name(place));
      return true;
    });
    return { ...each, owned };
  });
}

function keptBy({ memberId, owned }: Reader, sharing: Sharing): number {
  const given = new Set(sharing.get(memberId)!.map(name));
  return owned.filter((place) => given.has(name(place))).length;
}
