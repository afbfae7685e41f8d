import { count, list, number, object, ros, text, timeNs } from './documents/described.js';

/* Members that more than one description of a status has. */

export const version = ros(text('version of the software'), 'string version');
export const pid = ros(count('process id'), 'uint32 pid');
export const dataFolder = ros(text('path of the data folder'), 'string data_folder');
export const startedAt = ros(timeNs('when this process started'), 'builtin_interfaces/Time started_at');
export const robot = ros(text('name of the robot'), 'string robot');

export const durations = object(
  {
    boundsMs: list(number(), 'upper bounds of the buckets in milliseconds, growing'),
    atMost: list(count(), 'how many lasted at most the bound of the same place'),
    count: count(),
    sumMs: number('milliseconds, all together'),
  },
  {},
  'a histogram of durations since the start of the process',
);
