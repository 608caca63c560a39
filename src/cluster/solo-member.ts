import { connectorNames, findConnector } from "../state/cluster-state.ts";
import { taskText } from "../state/id.ts";
import type { Membership } from "./cluster.ts";

/** A group of one: everything is assigned to this worker. */
export const soloMember: Membership = {
  assignment(state) {
    const connectors = connectorNames(state);
    const tasks = connectors.flatMap((connector) =>
      (findConnector(state, connector)?.taskConfigs ?? []).map((_, task) =>
        taskText({ connector, task }),
      ),
    );
    return { generation: 0, leads: true, connectors: new Set(connectors), tasks: new Set(tasks) };
  },
};
