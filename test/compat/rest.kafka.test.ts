import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testHostAnswers } from "./host-answers.ts";

/** These have no records, no statuses and no cluster id in them. */
const withoutLog = /^(http-(content|trailing|unknown)|loggers-|plugins-|validate-)/;

overCluster((place) =>
  testHostAnswers(place, { only: (name) => !withoutLog.test(name), processPer: "plugin" }),
);
