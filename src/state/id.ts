/** Names that were checked by the parser that made them. */
export type ConnectorName = string & { readonly brand: "ConnectorName" };

export interface TaskId {
  readonly connector: ConnectorName;
  readonly task: number;
}

/** Trusts its caller: used where the name comes from a place that checked it (log, parsed config). */
export function connectorName(text: string): ConnectorName {
  return text as ConnectorName;
}

/** `name-0`, as Connect prints a task's id. */
export function taskText(id: TaskId): string {
  return `${id.connector}-${id.task}`;
}
