/**
 * The planned way through a task, where parts that no transform looks at stay on their lanes, does the same
 * to any record as the plain one, where every part is read: the same bytes into Kafka, the same values to a
 * plugin, the same records dropped, the same refusals of the same step with the same dead letter. The plain
 * way is made anew for each batch, so neither may what a task has learnt from the ones before it matter.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExactJson } from "../../src/record/exact-json.ts";
import { touchedBy } from "../../src/transform/step.ts";
import { chosenSeed, rounds } from "../harness/property.ts";
import type { Outcome } from "./plan-outcome.ts";
import { randomScene, type Scene, stepsOf } from "./plan-scene.ts";
import { SinkContest } from "./plan-sink.ts";
import { SourceContest } from "./plan-source.ts";
import { Choice, randomBy } from "./random-choice.ts";
import { contradicting, damagedText, malformed, respelt } from "./random-json.ts";

/** One task, both ways. */
interface Contest {
  /** What became of the records of a batch. @throws AssertionError where the ways differ */
  compare(lines: readonly string[]): readonly Outcome[];
}

/** How many records had which outcome. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  toString(): string {
    return JSON.stringify(Object.fromEntries(this.#counts));
  }
}

/** Plays scenes, each with a seed of its own, so that it is the same however many there are. */
function play(scenes: number, contestOf: (choice: Choice, scene: Scene) => Contest): Tally {
  const seed = chosenSeed();
  const tally = new Tally();
  for (let round = 0; round < scenes * rounds(); round += 1) {
    const choice = new Choice(randomBy(seed * 1_000_003 + round));
    const scene = randomScene(choice);
    if (scene === undefined) continue;
    try {
      playScene(scene, contestOf(choice, scene), tally);
    } catch (error) {
      const { message } = error as Error;
      const text = `BULKHEAD_SEED=${seed} scene ${round}: ${message}\n${JSON.stringify(scene)}`;
      throw new Error(text, { cause: error });
    }
  }
  return tally;
}

function playScene({ config, batches }: Scene, contest: Contest, tally: Tally): void {
  const steps = stepsOf(config);
  assert.ok(touchedBy(steps).size < 3, "there is nothing to plan");
  for (const outcome of batches.flatMap((lines) => contest.compare(lines))) {
    tally.add(outcome.split(" ", outcome.startsWith("refused") ? 2 : 1).join(" "));
    if (outcome.startsWith("kept") && steps.length > 3) tally.add("kept by a long chain");
  }
}

/** Else most of what was made is of no use. */
function requireCounts(tally: Tally, least: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(least)) {
    assert.ok(tally.of(name) >= count * rounds(), `too few ${name}: ${tally}`);
  }
}

const usual = {
  ...{ kept: 150, "kept by a long chain": 40, dropped: 5 },
  "refused TRANSFORMATION": 80,
};
const failing = {
  ...{ "refused KEY_CONVERTER": 25, "refused VALUE_CONVERTER": 25, "refused HEADER_CONVERTER": 5 },
  ...{ ...usual, "refused TRANSFORMATION": 40 },
};

test("sources: canonical texts become the same bytes", () => {
  const tally = play(160, (_, scene) => {
    return new SourceContest(scene, { respell: undefined, areTrue: true });
  });
  requireCounts(tally, usual);
});

test("sources: texts in another spelling become the same bytes, or the same value where they are promised to be canonical", () => {
  const tally = play(170, (choice, scene) => {
    const respell = (text: string) => Buffer.from(respelt(choice, parseExactJson(text)));
    return new SourceContest(scene, { respell, areTrue: true });
  });
  requireCounts(tally, usual);
});

test("sources: what is no JSON or not what its schema says is refused alike", () => {
  const tally = play(220, (choice, scene) => {
    const respell = (text: string) => {
      if (choice.chance(0.8)) return Buffer.from(text);
      if (choice.chance(0.4)) return damagedText(choice, text);
      return Buffer.from(contradicting(choice, parseExactJson(text)));
    };
    return new SourceContest(scene, { respell, areTrue: false });
  });
  requireCounts(tally, failing);
});

test("sinks: bytes become the same values, however JSON is spelt", () => {
  const tally = play(230, (choice, scene) => {
    return new SinkContest(scene, (converter, bytes) => {
      if (converter !== "Json" || choice.chance(0.3)) return bytes;
      return Buffer.from(respelt(choice, parseExactJson(Buffer.from(bytes).toString("utf8"))));
    });
  });
  requireCounts(tally, usual);
});

test("sinks: malformed bytes fail alike, with the same dead letter", () => {
  const tally = play(230, (choice, scene) => {
    return new SinkContest(scene, (converter, bytes, isTouched) =>
      choice.chance(isTouched ? 0.1 : 0.6) ? malformed(choice, converter, bytes) : bytes,
    );
  });
  requireCounts(tally, failing);
});
