/** What quickstart shows, made from numbers: no clock, no terminal, no host. */

/** A connector as quickstart sees it. */
export interface ConnectorView {
  readonly name: string;
  /** Of its first task, or of the connector while there is none. */
  readonly state: string;
  /** The process that runs it now. */
  readonly pid: number | undefined;
}

/** Everything that is shown at one moment. */
export interface View {
  readonly runningMs: number;
  readonly appended: number;
  readonly inTopic: number;
  readonly inSink: number;
  readonly linesPerSecond: number;
  readonly source: ConnectorView;
  readonly sink: ConnectorView;
}

/** What stays the same for the whole run. */
export interface Places {
  readonly restUrl: string;
  /** Said when the usual port was taken. */
  readonly portTaken: number | undefined;
  readonly sourceFile: string;
  readonly sinkFile: string;
  readonly logFile: string;
  readonly source: string;
}

/** Printed once, above what refreshes itself: all that one may want to copy. */
export function introduction(places: Places): string[] {
  const taken = places.portTaken === undefined ? "" : ` (port ${places.portTaken} is in use)`;
  return [
    `REST at ${places.restUrl}${taken}, log in ${places.logFile}`,
    "Try, in another terminal:",
    `  curl ${places.restUrl}/connectors/${places.source}/status`,
    "  kill -9 PID     of a plugin, as shown below: it comes back and nothing is lost",
    `  echo "by hand" >> ${places.sourceFile}; sleep 1; grep -n "by hand" ${places.sinkFile}`,
    "Ctrl-C drains and ends.",
  ];
}

/** The block that refreshes itself on a terminal, cut to its width. */
export function screen(view: View, columns: number): string[] {
  const rate = `${count(view.linesPerSecond)} lines/s`;
  return [
    "",
    `  source file  ${count(view.appended).padStart(9)}   appended, ${seconds(view.runningMs)}`,
    `     │         ${connector(view.source)}`,
    `  topic        ${count(view.inTopic).padStart(9)}   ${rate}`,
    `     │         ${connector(view.sink)}`,
    `  sink file    ${count(view.inSink).padStart(9)}   ${behind(view)}`,
    "",
  ].map((line) => line.slice(0, Math.max(columns - 1, 0)));
}

/** One line for a pipe or a file. */
export function plainLine(view: View): string {
  return [
    seconds(view.runningMs),
    `appended ${view.appended}`,
    `in topic ${view.inTopic}`,
    `in sink ${view.inSink}`,
    `source ${view.source.state} ${process(view.source)}`,
    `sink ${view.sink.state} ${process(view.sink)}`,
  ].join("  ");
}

/** The last line of a run: one line of JSON. */
export function summary(totals: { inTopic: number; inSink: number; connectors: number }): string {
  return JSON.stringify({
    records_in: totals.inTopic,
    records_out: totals.inSink,
    connectors: totals.connectors,
  });
}

/** Of the samples of the last seconds, oldest first. */
export function perSecond(samples: readonly { atMs: number; total: number }[]): number {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return Math.round(((last.total - first.total) * 1_000) / (last.atMs - first.atMs));
}

function connector({ name, state, pid }: ConnectorView): string {
  const kill = pid === undefined ? "" : `   kill -9 ${pid}`;
  return `${name.padEnd(12)} ${state.padEnd(10)}${kill}`;
}

function process({ pid }: ConnectorView): string {
  return pid === undefined ? "(no process)" : `(pid ${pid})`;
}

function behind({ inTopic, inSink }: View): string {
  if (inSink === inTopic) return "all of them";
  if (inSink < inTopic) return `${count(inTopic - inSink)} on their way`;
  return `${count(inSink - inTopic)} of them twice, after a kill`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1_000)} s`;
}
