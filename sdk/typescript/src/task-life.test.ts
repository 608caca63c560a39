import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskLife } from "./task-life.ts";

const lives: { name: string; live: (life: TaskLife) => void; mayStop: boolean }[] = [
  { name: "a task that was stopped", live: () => {}, mayStop: true },
  { name: "a task whose stream ended", live: (life) => void life.cutOff(), mayStop: true },
  { name: "a task whose session ended", live: (life) => life.abandon(), mayStop: false },
  {
    name: "a task whose session ended soon after its stream",
    live: (life) => {
      life.cutOff();
      setTimeout(() => life.abandon(), 20);
    },
    mayStop: false,
  },
];

for (const { name, live, mayStop } of lives) {
  test(`the user's stop of ${name} ${mayStop ? "runs" : "does not run"}`, async () => {
    const life = new TaskLife();
    live(life);
    assert.equal(await life.mayStop(), mayStop);
  });
}
