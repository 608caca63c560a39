/** Clauses on transforms, predicates and converters that live in a plugin. */
import { FailureClass } from "../../plugin/gen/bulkhead/plugin/v1/error_pb.ts";
import { StageVerdict } from "../../plugin/gen/bulkhead/plugin/v1/stage_pb.ts";
import { type Clause, must } from "../clause.ts";
import { enumName } from "../enum-name.ts";
import { messageBytesMax } from "../host-end.ts";
import {
  mustChoose,
  openedStage,
  readyForStages,
  sendOpenStage,
  stageWork,
  verdictsOf,
} from "../stage-run.ts";

const place = "proto/README.md, section 10";

/** Judged for each transform, predicate, converter and header converter. */
export const stageClauses: readonly Clause[] = [
  {
    id: "stage.capability",
    title: "the hello says that the program can run stages",
    rule: "A plugin with such classes says so with the capability `stages`.",
    place,
    hint: "add `stages` to Hello.capabilities",
    of: "stage",
    async run(trial) {
      const running = await trial.ready();
      const hello = await running.hello(trial.helloMs);
      const said = hello?.capabilities ?? [];
      must(said.includes("stages"), `its capabilities are ${said.join(", ") || "none"}`);
    },
  },
  {
    id: "stage.open",
    title: "OpenStage opens a stream with the ticket, and Started follows",
    rule: "The plugin writes StageHello without waiting; Reply says that the stream is open, Started how the start went.",
    place,
    hint: "open PluginHost/Stage, write the hello, reply, and say started when the user's start has returned",
    of: "stage",
    async run(trial) {
      const running = await readyForStages(trial);
      const { id, ticket } = await sendOpenStage(trial, running);
      const stage = await running.until(() => ticket.stage, trial.answerMs);
      must(stage !== undefined, "no stage's stream was opened");
      must(stage.presented === ticket.text, "its hello has another ticket");
      await stage.until(() => stage.has("started"), trial.answerMs);
      must(stage.has("started") === true, `no started came: ${stage.failures[0]?.text ?? ""}`);
      const reply = await running.until(() => running.session.finalReplies(id)[0], trial.answerMs);
      must(reply?.kind.case === "openStage", `the reply was ${reply?.kind.case ?? "none"}`);
    },
  },
  {
    id: "stage.unknown-class",
    title: "a class that is not there fails OpenStage as a matter of config",
    rule: "A class that is not there, or is no stage, fails the request (INVALID_CONFIG).",
    place,
    hint: "look the class up before opening a stream, and reply with a Failure of class CONFIGURATION",
    of: "stage",
    async run(trial) {
      const running = await readyForStages(trial);
      const className = `${trial.class.className}.NoSuch`;
      const { id } = await sendOpenStage(trial, running, { className });
      const reply = await running.until(() => running.session.finalReplies(id)[0], trial.answerMs);
      const failure = reply?.kind.case === "failure" ? reply.kind.value : undefined;
      must(failure !== undefined, `the reply was ${reply?.kind.case ?? "none"}`);
      const kind = failure.failureClass;
      must(
        kind === FailureClass.CONFIGURATION,
        `its failure class is ${enumName(FailureClass, kind)}`,
      );
    },
  },
  {
    id: "stage.ticket-refused",
    title: "a refused ticket is a failed OpenStage, and no more",
    rule: "A ticket that is unknown, late or used ends that stream; the plugin answers with a Failure.",
    place: "proto/README.md, section 5",
    hint: "reply with a Failure when the stream ends before its initial metadata, and go on",
    of: "stage",
    async run(trial) {
      const running = await readyForStages(trial);
      const { id } = await sendOpenStage(trial, running, { admission: "refused" });
      const reply = await running.until(() => running.session.finalReplies(id)[0], trial.answerMs);
      must(reply?.kind.case === "failure", `the reply was ${reply?.kind.case ?? "none"}`);
      must(await running.answers(trial.answerMs), running.program.lastWords);
    },
  },
  {
    id: "stage.credit",
    title: "gives credit for records and bytes when it has started",
    rule: "Credit covers StageBatch only, as a Put. started, credit{records, bytes}.",
    place,
    hint: "send Credit behind started, enough for a few large batches",
    of: "stage",
    async run(trial) {
      const running = await readyForStages(trial);
      const { ticket } = await sendOpenStage(trial, running);
      const stage = await running.until(() => ticket.stage, trial.answerMs);
      must(stage !== undefined, "no stage's stream was opened");
      await stage.until(() => stage.hasCredit || undefined, trial.answerMs);
      const given = `${stage.grantedRecords} records and ${stage.grantedBytes} bytes`;
      must(stage.hasCredit, `it gave ${given}`);
    },
  },
  {
    id: "stage.results",
    title: "twenty batches get twenty results, in order, with verdicts that add up",
    rule: "Every StageBatch gets one StageResult, in order, whose runs add up to the count.",
    place,
    hint: "one queue and one user thread; only the verdicts of the class's kind",
    of: "stage",
    async run(trial) {
      const { running, stage } = await openedStage(trial);
      const { operation, verdicts, rows } = stageWork(trial);
      for (let n = 0; n < 20; n += 1) {
        // Records of a source and of a sink in turn.
        stage.batch(operation, rows([`a${n}`, `b${n}`, `c${n}`]), n % 2 === 0 ? undefined : n);
      }
      await stage.until(() => stage.results[19], trial.answerMs);
      await running.quiet(100);
      const seqs = stage.results.map(({ seq }) => seq);
      const right = seqs.length === 20 && seqs.every((seq, index) => seq === index + 1);
      must(right, `the results were for batches ${seqs.join(", ") || "none"}`);
      for (const { seq, runs } of stage.results) {
        const sum = runs.reduce((records, { count }) => records + count, 0);
        must(sum === 3, `the runs of batch ${seq} add up to ${sum}, not 3`);
        const odd = runs.find(({ verdict }) => !verdicts.includes(verdict));
        must(odd === undefined, `batch ${seq} got a verdict of another kind: ${odd?.verdict}`);
      }
    },
  },
  {
    id: "stage.columns",
    title: "a result's columns are the records that are OK, with ids that are defined",
    rule: "`columns` holds as many records as the runs say OK; definitions of a result come from the plugin.",
    place,
    hint: "send TopicDef, NameDef and FormDef of your own before the result that uses them",
    of: "stage",
    async run(trial) {
      const { stage } = await openedStage(trial);
      const { rows } = stageWork(trial);
      for (let n = 0; n < 3; n += 1) await verdictsOf(trial, stage, rows([`x${n}`, `y${n}`]));
      const [fault] = stage.results.flatMap(({ columnFaults }) => columnFaults);
      must(fault === undefined, fault ?? "");
    },
  },
  {
    id: "stage.credit-returned",
    title: "gives back exactly what each batch cost",
    rule: "max(1, count) records and the bytes of the size formula, given back when the result has been sent.",
    place,
    hint: "count headers too; an empty batch costs one record",
    of: "stage",
    async run(trial) {
      const { running, stage } = await openedStage(trial);
      const { rows } = stageWork(trial);
      const before = [stage.grantedRecords, stage.grantedBytes] as const;
      for (const texts of [["one", "two"], [], ["three"]]) {
        await verdictsOf(trial, stage, rows(texts));
      }
      const back = () =>
        [stage.grantedRecords - before[0], stage.grantedBytes - before[1]] as const;
      const whole = () => back()[0] >= stage.spentRecords && back()[1] >= stage.spentBytes;
      await stage.until(() => whole() || undefined, trial.answerMs);
      await running.quiet(100);
      const [records, bytes] = back();
      const due = `${stage.spentRecords} records and ${stage.spentBytes} bytes`;
      const same = records === stage.spentRecords && bytes === stage.spentBytes;
      must(same, `${due} were due, ${records} and ${bytes} came`);
    },
  },
  {
    id: "stage.forget",
    title: "ids begin again after Forget",
    rule: "Definitions and Forget go both ways, each direction with its ids.",
    place,
    hint: "drop the host's topics, names and forms together, and keep your own",
    of: "stage",
    async run(trial) {
      const { stage } = await openedStage(trial);
      const { rows } = stageWork(trial);
      await verdictsOf(trial, stage, rows(["before"]));
      stage.forget("another");
      const [verdict] = await verdictsOf(trial, stage, rows(["after"]));
      must(verdict !== undefined, "the batch with ids defined anew got no verdict");
      const [fault] = stage.results.flatMap(({ columnFaults }) => columnFaults);
      must(fault === undefined, fault ?? "");
    },
  },
  {
    id: "stage.sizes",
    title: "copes with batches of one byte, as large as the limit allows, and of 10,000 records",
    rule: "A batch is at most max_message_bytes by the size formula; so is each message of a result.",
    place,
    hint: "set the channel's limits 64 KiB above max_message_bytes, and cut a result that has grown",
    of: "stage",
    async run(trial) {
      const { stage } = await openedStage(trial);
      const { rows } = stageWork(trial);
      const [small] = rows([""]);
      const extra = (small?.value.length ?? 0) + 64 * (small?.header === undefined ? 1 : 2);
      const room = messageBytesMax - 4_096 - extra;
      // The text stands in the value, and with a converter in its header too.
      const text = "x".repeat(small?.header === undefined ? room : Math.floor(room / 2));
      const many = Array.from({ length: 10_000 }, (_, n) => `${n}`);
      for (const texts of [["x"], [text], many]) {
        const verdicts = await verdictsOf(trial, stage, rows(texts));
        must(verdicts.length === texts.length, `${verdicts.length} verdicts for ${texts.length}`);
      }
    },
  },
  {
    id: "stage.fails",
    title: "what user code throws fails its record, and the stage goes on",
    rule: "What user code throws about a record makes that record FAILED, with its Failure.",
    place,
    hint: "catch around each record; a Failure on the stream is about the whole stage",
    of: "stage",
    async run(trial) {
      const { stage } = await openedStage(trial, undefined, "failsRecords");
      const { rows } = stageWork(trial);
      for (let n = 0; n < 2; n += 1) {
        const verdicts = await verdictsOf(trial, stage, rows(["bad"]));
        must(verdicts[0] === StageVerdict.FAILED, `its verdict was ${verdicts[0]}`);
        const text = stage.results[n]?.runs[0]?.failure?.text ?? "";
        must(text !== "", "the run has no Failure that says why");
      }
    },
  },
  {
    id: "stage.filters",
    title: "a record that is dropped is FILTERED and not in the columns",
    rule: "Apply gives back one record for one record, or none.",
    place,
    hint: "FILTERED is a verdict of its own, not an OK without a record",
    of: "stage",
    async run(trial) {
      mustChoose(trial);
      const { stage } = await openedStage(trial, undefined, "filters");
      const verdicts = await verdictsOf(trial, stage, stageWork(trial).rows(["gone", "too"]));
      const filtered = verdicts.every((one) => one === StageVerdict.FILTERED);
      must(filtered && verdicts.length === 2, `the verdicts were ${verdicts.join(", ")}`);
      const [fault] = stage.results.flatMap(({ columnFaults }) => columnFaults);
      must(fault === undefined, fault ?? "");
    },
  },
  {
    id: "stage.close",
    title: "CloseStage: half-close, then the reply; and the class opens again",
    rule: "The plugin runs the user's stop, half-closes the stream, and replies.",
    place,
    hint: "end your side of the stream before the reply, and forget the stage",
    of: "stage",
    async run(trial) {
      let running = await readyForStages(trial);
      for (let n = 0; n < 2; n += 1) {
        const open = await openedStage(trial, running);
        ({ running } = open);
        const { session } = running;
        const value = { stageId: open.stageId };
        const id = session.ask("conformance", { case: "closeStage", value });
        const reply = await running.until(() => session.finalReplies(id)[0], trial.answerMs);
        must(reply?.kind.case === "closeStage", `the reply was ${reply?.kind.case ?? "none"}`);
        const how = await open.stage.until(() => open.stage.ended, trial.answerMs);
        must(how === "half-closed", `the stream was ${how ?? "not half-closed"}`);
      }
    },
  },
  {
    id: "stage.cut-stream",
    title: "a stage whose stream breaks off ends alone",
    rule: "A stream that ends in any other way is closed in the same way by the plugin, without a reply.",
    place,
    hint: "the stream's error is the stage's end, not the program's",
    of: "stage",
    async run(trial) {
      const { running, stage } = await openedStage(trial);
      stage.refuse("the stage was given up");
      must(await running.answers(trial.answerMs), running.program.lastWords);
      const again = await openedStage(trial, running);
      const verdicts = await verdictsOf(trial, again.stage, stageWork(trial).rows(["x"]));
      must(verdicts.length === 1, `a new stage gave ${verdicts.length} verdicts for a record`);
    },
  },
];
