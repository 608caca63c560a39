import { StageOperation, StageVerdict } from "../plugin/gen/bulkhead/plugin/v1/stage_pb.ts";
import { Blocked, must, NotJudged } from "./clause.ts";
import type { Admission } from "./host-end.ts";
import type { Running } from "./running.ts";
import type { StageEnd, StageRow } from "./stage-end.ts";
import { connectorName, type Trial } from "./trial.ts";

/** What is asked of a class of this kind, and which verdicts it may give. */
export function stageWork(trial: Trial): {
  operation: StageOperation;
  verdicts: readonly StageVerdict[];
  rows: (texts: readonly string[]) => StageRow[];
} {
  const { OK, FILTERED, FAILED, TRUE, FALSE } = StageVerdict;
  const data = (texts: readonly string[]): StageRow[] =>
    texts.map((text) => ({ value: JSON.stringify({ text }) }));
  const { stageKind } = trial.class;
  if (stageKind === "transformation") {
    return { operation: StageOperation.APPLY, verdicts: [OK, FILTERED, FAILED], rows: data };
  }
  if (stageKind === "predicate") {
    return { operation: StageOperation.TEST, verdicts: [TRUE, FALSE, FAILED], rows: data };
  }
  // A converter may refuse these bytes; it has to say so record by record.
  const bytes = (texts: readonly string[]): StageRow[] =>
    texts.map((text) => ({ value: Buffer.from(text), header: ["of", text] }));
  return { operation: StageOperation.TO_CONNECT, verdicts: [OK, FAILED], rows: bytes };
}

/** A process whose host can run stages. */
export function readyForStages(trial: Trial): Promise<Running> {
  return trial.ready({ capabilities: ["stages"] });
}

let opened = 0;

/** Sends OpenStage; the answer is its request id, the stage's id and the ticket. */
export async function sendOpenStage(
  trial: Trial,
  running: Running,
  options: { admission?: Admission; className?: string; situation?: string } = {},
) {
  const { admission = "at-once", className = trial.class.className, situation } = options;
  const ticket = running.host.ticket(admission);
  opened += 1;
  const stageId = `stage-${opened}`;
  const config = await trial.stageConfig(situation);
  const id = running.session.ask(connectorName, {
    case: "openStage",
    value: { stageId, alias: "judged", className, config, ticket: ticket.text },
  });
  return { id, stageId, ticket };
}

/** Opens a stage up to its credit. @throws Blocked */
export async function openedStage(trial: Trial, given?: Running, situation?: string) {
  const running = given ?? (await readyForStages(trial));
  const sent = await sendOpenStage(trial, running, situation === undefined ? {} : { situation });
  const stage = await running.until(() => sent.ticket.stage, trial.answerMs);
  if (stage === undefined) {
    throw new Blocked("stage.open", `no stage's stream was opened; ${running.program.lastWords}`);
  }
  const begun = await stage.until(() => stage.has("started"), trial.answerMs);
  if (begun === undefined) {
    const why = stage.failures[0]?.text ?? "";
    throw new Blocked("stage.open", `no started; the stream said: ${stage.story} ${why}`);
  }
  const credit = await stage.until(() => stage.hasCredit || undefined, trial.answerMs);
  if (credit === undefined) throw new Blocked("stage.credit", "the stage gave no credit");
  return { running, stage, ...sent };
}

/** The verdicts of one batch, one for each record. @throws Broken where there is no whole result */
export async function verdictsOf(
  trial: Trial,
  stage: StageEnd,
  rows: readonly StageRow[],
  firstOffset?: number,
): Promise<StageVerdict[]> {
  const { operation } = stageWork(trial);
  const sent = stage.batch(operation, rows, firstOffset);
  const result = await stage.resultOf(sent, trial.answerMs);
  const story = stage.failures[0]?.text ?? stage.story;
  must(result !== undefined, `batch ${sent.seq} of ${sent.count} got no result: ${story}`);
  return result.runs.flatMap(({ count, verdict }) => Array<StageVerdict>(count).fill(verdict));
}

/** @throws NotJudged where the class is a converter, which is given no choice */
export function mustChoose(trial: Trial): void {
  const { stageKind } = trial.class;
  if (stageKind === "transformation") return;
  throw new NotJudged(`a ${stageKind} drops no records`);
}
