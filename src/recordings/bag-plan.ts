import { join } from 'node:path';
import { defined } from '../core/defined.js';
import { encodeName } from '../core/name-encoding.js';
import type { BagContent, BagTopic } from '../core/mcap/rosbag2-metadata.js';
import type { SurveyedFile } from './bag-survey.js';
import type { Located } from './locate.js';

/** What distinguishes a bag from the others. */
export interface BagClass {
  readonly robot?: string;
  readonly priority?: string;
  /** Topics with segments of their own. */
  readonly group?: string;
}

/** One bag: the files of one robot (and priority class, and group of topics), in the order of time. */
export interface PlannedBag extends BagClass {
  /** The folder for the metadata.yaml. */
  readonly folder: string;
  readonly files: readonly SurveyedFile[];
}

/** Overlaps up to this long are those of successive segments: messages are not stored in exact order. */
const OVERLAP_TOLERATED_NS = 1_000_000_000n;

/**
 * Groups files into bags. `ros2 bag play` reads one file after the other, so a bag must only have files that
 * follow each other in time: those of one robot, one priority class and one group of topics.
 *
 * @param output folder that gets one folder per bag; without it the bags lie beside their files
 */
export function planBags(
  surveyed: readonly SurveyedFile[],
  located: Located,
  output: string | undefined,
): PlannedBag[] {
  const groups = new Map<string, SurveyedFile[]>();
  for (const file of surveyed) {
    const key = JSON.stringify([file.robot ?? null, file.priority ?? '', file.group ?? '']);
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  return [...groups.values()]
    .map((files) => {
      const { robot, priority, group } = files[0]!;
      const own = defined({ robot, priority, group });
      return {
        ...own,
        folder: folderOf(located, output, own, groups.size),
        files: files.sort(byTime),
      };
    })
    .sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/** Name of a bag: the facts that distinguish it from the others. */
export function bagName({ robot, priority, group }: BagClass): string {
  const name = robot === undefined ? 'recording' : encodeName(robot);
  const classed = priority === undefined ? name : `${name}~${priority}`;
  return group === undefined ? classed : `${classed}~segment=${group}`;
}

function folderOf(located: Located, output: string | undefined, own: BagClass, bags: number): string {
  const { robot, priority, group } = own;
  const name = bagName(own);
  if (output !== undefined) return join(output, name);
  switch (located.kind) {
    case 'data':
      return join(located.folder.root, 'bags', name);
    case 'store': {
      // The robot's own folder, so that it can be copied elsewhere as a whole.
      const ofRobot = join(located.store.uri.replace(/^dir:/, ''), `robot=${encodeName(robot ?? '')}`);
      const ofClass = priority === undefined ? ofRobot : join(ofRobot, `priority=${priority}`);
      return group === undefined ? ofClass : join(ofClass, `segment=${group}`);
    }
    case 'mcap':
      return bags === 1 ? located.path : join(located.path, name);
  }
}

function byTime(a: SurveyedFile, b: SurveyedFile): number {
  const [x, y] = [a.firstLogTime ?? 0n, b.firstLogTime ?? 0n];
  if (x !== y) return x < y ? -1 : 1;
  return a.segment.name < b.segment.name ? -1 : 1;
}

/** The content of the whole bag: the sums, each topic once. */
export function bagContent({ files, robot }: PlannedBag): BagContent & { readonly carried: number } {
  const topics = new Map<string, BagTopic>();
  for (const topic of files.flatMap((file) => file.topics)) {
    const key = JSON.stringify([topic.topic, topic.type]);
    const known = topics.get(key);
    topics.set(key, {
      ...topic,
      offeredQos: topic.offeredQos ?? known?.offeredQos,
      typeHash: topic.typeHash ?? known?.typeHash,
      messages: topic.messages + (known?.messages ?? 0),
    });
  }
  const list = [...topics.values()];
  const first = files.find(({ firstLogTime }) => firstLogTime !== undefined)?.firstLogTime;
  const last = files.reduce<bigint | undefined>(
    (max, { lastLogTime: time }) => (time !== undefined && (max === undefined || time > max) ? time : max),
    undefined,
  );
  const carried = files.reduce((sum, file) => sum + file.carried, 0);
  const rosDistro = files.find((file) => file.rosDistro !== undefined)?.rosDistro ?? '';
  return {
    topics: list,
    messages: list.reduce((sum, { messages }) => sum + messages, 0),
    carried,
    ...(first === undefined || last === undefined ? {} : { firstLogTime: first, lastLogTime: last }),
    rosDistro,
    custom: { holdfast_carried: String(carried), ...defined({ holdfast_robot: robot }) },
  };
}

/**
 * Files that begin before the previous one has ended: `ros2 bag play` publishes those messages late and at
 * once.
 */
export function overlaps({ files }: PlannedBag): { readonly name: string; readonly seconds: number }[] {
  const found: { name: string; seconds: number }[] = [];
  let end: bigint | undefined;
  for (const { segment, firstLogTime, lastLogTime } of files) {
    if (firstLogTime === undefined || lastLogTime === undefined) continue;
    if (end !== undefined && end - firstLogTime > OVERLAP_TOLERATED_NS) {
      found.push({ name: segment.name, seconds: Number(end - firstLogTime) / 1e9 });
    }
    if (end === undefined || lastLogTime > end) end = lastLogTime;
  }
  return found;
}
