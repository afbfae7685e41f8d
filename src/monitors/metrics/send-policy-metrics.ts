import type { SendPolicyStatus, SyncStatus } from '../../core/status.js';
import type { Known } from './known.js';
import type { Metric, Sample } from './metric.js';

type Forecast = NonNullable<SyncStatus['forecast']>[number];

const states = ['met', 'unmet', 'unknown'] as const;

interface SinkPolicy {
  readonly sink: string;
  readonly policy: SendPolicyStatus;
}

/** Sinks with a send policy; for a sync process with a single sink, the status itself. */
function policiesOf(sync: SyncStatus | null): readonly SinkPolicy[] {
  if (sync === null) return [];
  const sinks = sync.sinks ?? [{ name: 'store', sendPolicy: sync.sendPolicy }];
  return sinks.flatMap(({ name: sink, sendPolicy: policy }) =>
    policy === undefined ? [] : [{ sink, policy }],
  );
}

function bySink(read: (policy: SendPolicyStatus) => number | undefined): (known: Known) => readonly Sample[] {
  return ({ status }) =>
    policiesOf(status.sync).flatMap(({ sink, policy }) => {
      const value = read(policy);
      return value === undefined ? [] : [{ labels: { sink }, value }];
    });
}

function byRobot(read: (of: Forecast) => number): (known: Known) => readonly Sample[] {
  return ({ status }) =>
    (status.sync?.forecast ?? []).map((one) => ({ labels: { robot: one.robot }, value: read(one) }));
}

/** Metrics of conditions and budgets; absent for sinks that send at any time. */
export const sendPolicyMetrics: readonly Metric<Known>[] = [
  {
    name: 'holdfast_send_open',
    help: '1 while the conditions and the budget of a sink let segments be sent, by sink.',
    type: 'gauge',
    samples: bySink(({ isOpen }) => (isOpen ? 1 : 0)),
  },
  {
    name: 'holdfast_send_condition_state',
    help: '1 for the state a condition of sync.when is in (met, unmet, unknown), 0 for the others; by sink.',
    type: 'gauge',
    samples: ({ status }) =>
      policiesOf(status.sync).flatMap(({ sink, policy }) =>
        uniqueConditions(policy).flatMap(({ condition, state: now }) =>
          states.map((state) => ({ labels: { sink, condition, state }, value: state === now ? 1 : 0 })),
        ),
      ),
  },
  {
    name: 'holdfast_send_waiting_segments',
    help: 'Pending segments that wait for a condition or for the budget of the next day, by sink.',
    type: 'gauge',
    samples: bySink(({ waiting }) => waiting.segments),
  },
  {
    name: 'holdfast_send_waiting_bytes',
    help: 'Bytes of the segments that wait for a condition or for the budget of the next day, by sink.',
    type: 'gauge',
    samples: bySink(({ waiting }) => waiting.bytes),
  },
  {
    name: 'holdfast_send_day_bytes',
    help: 'Bytes of segments sent on the present local day, by sink.',
    type: 'gauge',
    samples: bySink(({ spentBytes }) => spentBytes),
  },
  {
    name: 'holdfast_send_budget_bytes',
    help: 'Bytes of segments that may be sent on one local day, by sink.',
    type: 'gauge',
    samples: bySink(({ budgetBytes }) => budgetBytes),
  },
  {
    name: 'holdfast_forecast_day_bytes',
    help: 'Bytes of segments that a robot sends on a day at its present rate, by robot.',
    type: 'gauge',
    samples: byRobot(({ bytesPerDay }) => bytesPerDay),
  },
  {
    name: 'holdfast_forecast_day_objects',
    help: 'Objects that a robot adds to the store on a day at its present rate, by robot.',
    type: 'gauge',
    samples: byRobot(({ objectsPerDay }) => objectsPerDay),
  },
  {
    name: 'holdfast_forecast_day_requests',
    help: 'Requests to the store that a robot causes on a day at its present rate, by robot.',
    type: 'gauge',
    samples: byRobot(({ requestsPerDay }) => requestsPerDay),
  },
];

/** A condition may stand in several alternatives; its state is the same in each. */
function uniqueConditions({ conditions }: SendPolicyStatus): SendPolicyStatus['conditions'] {
  return [...new Map(conditions.map((one) => [one.condition, one])).values()];
}
