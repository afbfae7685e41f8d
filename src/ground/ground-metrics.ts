import type { RobotView } from './robot-state.js';

/** A metric of each robot. */
interface RobotMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly value: (robot: RobotView) => number;
}

const metrics: readonly RobotMetric[] = [
  {
    ...{ name: 'holdfast_ground_robot_connected', type: 'gauge', help: '1 while the robot is connected.' },
    value: ({ connected }) => (connected ? 1 : 0),
  },
  {
    ...{ name: 'holdfast_ground_messages_total', type: 'counter', help: 'Messages received from the robot.' },
    value: ({ messages }) => messages,
  },
  {
    ...{ name: 'holdfast_ground_received_bytes_total', type: 'counter', help: 'Bytes of these messages.' },
    value: ({ bytes }) => bytes,
  },
  {
    ...{ name: 'holdfast_ground_samples_total', type: 'counter', help: 'Samples of all fields at a tick.' },
    value: ({ samples }) => samples,
  },
  {
    ...{
      name: 'holdfast_ground_gaps_total',
      type: 'counter',
      help: 'Frames that did not continue the last one.',
    },
    value: ({ gaps }) => gaps,
  },
  {
    ...{
      name: 'holdfast_ground_unusable_messages_total',
      type: 'counter',
      help: 'Messages that cannot be read.',
    },
    value: ({ unusable }) => unusable,
  },
];

/** The metrics of a fleet in Prometheus' text format. Names of robots need no escaping (`RobotRegistry`). */
export function renderGroundMetrics(robots: readonly RobotView[]): string {
  return metrics
    .map(({ name, help, type, value }) => {
      const lines = robots.map((robot) => `${name}{robot="${robot.robot}"} ${value(robot)}\n`);
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    })
    .join('');
}
