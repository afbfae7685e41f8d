import type { Schema } from '../../core/documents/described.js';
import type { RecorderStatus, RobotStatus, SyncStatus } from '../../core/status.js';
import { recorderStatusSchema, robotStatusSchema } from '../../core/status-schema.js';
import { syncStatusSchema } from '../../core/sync-status-schema.js';
import { reportText } from './report-text.js';

/** How a figure is sent: UTF-8 text, a double, or nanoseconds since the Unix epoch. */
export type FigureKind = 'text' | 'number' | 'time';

interface Figure {
  /** Of the field in `Status` of uplink.proto. Never given to another figure. */
  readonly number: number;
  readonly kind: FigureKind;
  /** Where it is in the {@link FigureSource}, member by member. */
  readonly from: string;
  /** Significant digits that are sent; absent: all. A figure that always moves is sent only if these change. */
  readonly digits?: number;
}

const text = (number: number, from: string): Figure & { kind: 'text' } => ({ number, from, kind: 'text' });
const time = (number: number, from: string): Figure & { kind: 'time' } => ({ number, from, kind: 'time' });
const value = (number: number, from: string, digits?: number): Figure & { kind: 'number' } => ({
  ...{ number, from, kind: 'number' },
  ...(digits === undefined ? {} : { digits }),
});

/**
 * The figures of a recorder and its sync that a fleet needs. Each is a member of a status, which also describes
 * it; wire format, API and documentation follow from this table.
 */
export const figures = {
  state: text(1, 'recorder.state'),
  stalledReason: text(2, 'recorder.stalledReason'),
  startedAt: time(3, 'recorder.startedAt'),
  channels: value(4, 'robot.channels'),
  messagesPerS: value(5, 'robot.messagesPerS', 2),
  bytesPerS: value(6, 'robot.bytesPerS', 2),
  dropped: value(7, 'robot.dropped'),
  lossWindowMs: value(8, 'recorder.lossWindow.ms', 1),
  lossWindowMessages: value(9, 'recorder.lossWindow.messages', 1),
  segmentsWaiting: value(10, 'recorder.wal.waiting'),
  diskFreeBytes: value(11, 'recorder.disk.freeBytes', 3),
  diskTotalBytes: value(12, 'recorder.disk.totalBytes'),
  diskTimeToFullMs: value(13, 'diskTimeToFullMs', 2),
  link: text(14, 'sync.link'),
  pendingSegments: value(15, 'sync.segments.pending'),
  pendingBytes: value(16, 'sync.bytes.pending', 3),
  oldestUnsyncedAt: time(17, 'sync.oldestUnsyncedAt'),
  transferBytesPerS: value(18, 'sync.transferBytesPerS', 2),
  etaMs: value(19, 'sync.etaMs', 2),
  lastSyncAt: time(20, 'sync.lastSyncAt'),
  parkedSegments: value(21, 'sync.segments.parked'),
  lostSegments: value(22, 'sync.segments.lost'),
  lastError: text(23, 'sync.lastError'),
  vin: text(24, 'robot.vin'),
  outboxSamples: value(25, 'outbox.waitingSamples', 2),
  outboxLostSamples: value(26, 'outbox.lostSamples', 2),
} as const satisfies Readonly<Record<string, Figure>>;

export type FigureName = keyof typeof figures;

/** Values by figure; an absent one is unknown. Times are decimal nanoseconds since the Unix epoch. */
export type RobotFigures = {
  readonly [K in FigureName]?: (typeof figures)[K]['kind'] extends 'number' ? number : string;
};

export const figureNames = Object.keys(figures) as readonly FigureName[];

/** What the figures are taken from. */
export interface FigureSource {
  readonly recorder: RecorderStatus;
  /** The share of the robot; absent: it has no channel yet. */
  readonly robot?: RobotStatus;
  /** Absent while sync does not answer. */
  readonly sync?: SyncStatus;
  /** Milliseconds; absent: the free space does not shrink, or this is not known yet. */
  readonly diskTimeToFullMs?: number;
  /** Samples that wait for the ground, without those on their way; absent: there is no outbox. */
  readonly outbox?: { readonly waitingSamples: number; readonly lostSamples: number };
}

/** Figures that are in no status document. */
const otherFigures: Readonly<Record<string, string>> = {
  diskTimeToFullMs: 'milliseconds until the disk is full at the present rate',
  'outbox.waitingSamples': 'samples of an outage that wait in the outbox of the robot',
  'outbox.lostSamples':
    'samples that left a full outbox before they were sent, since the start of the recorder',
};

/** Takes the figures out of the statuses, rounded as they are sent. */
export function figuresOf(source: FigureSource): RobotFigures {
  const found: Partial<Record<FigureName, string | number>> = {};
  for (const name of figureNames) {
    const { kind, from, digits }: Figure = figures[name];
    const member = memberAt(source, from);
    if (kind === 'number' && typeof member === 'number' && Number.isFinite(member))
      found[name] = digits === undefined ? member : Number(member.toPrecision(digits));
    else if (kind !== 'number' && typeof member === 'string' && member !== '')
      found[name] = kind === 'text' ? reportText(member) : member;
  }
  return found as RobotFigures;
}

/** What a figure means, in words, from the description of its status. */
export function aboutFigure(name: FigureName): string {
  const { from } = figures[name];
  const other = otherFigures[from];
  if (other !== undefined) return other;
  const [root, ...members] = from.split('.');
  let schema: Schema<unknown> | undefined =
    root === 'recorder' ? recorderStatusSchema : root === 'robot' ? robotStatusSchema : syncStatusSchema;
  for (const member of members)
    schema = (schema?.['properties'] as Record<string, Schema<unknown>> | undefined)?.[member];
  const description = schema?.['description'];
  return typeof description === 'string' ? description : '';
}

function memberAt(source: object, path: string): unknown {
  let found: unknown = source;
  for (const member of path.split('.')) found = (found as Record<string, unknown> | undefined)?.[member];
  return found;
}
