import type { MarkedEvent } from '../../src/core/marked-event.js';
import type { LogLine, Timeline, TimelineSegment } from '../../src/core/monitoring.js';
import type { RecorderStatus, SyncStatus } from '../../src/core/status.js';
import { alertRules } from '../../src/monitors/alerts/alert-rules.js';
import type { Alert } from '../../src/monitors/alerts/evaluate-alerts.js';
import { historyColumns, historyPoint, type HistoryPoint } from '../../src/monitors/live/history.js';
import type { TopicDelta, TopicRow } from '../../src/monitors/live/topic-table.js';
import type { StatusDocument } from '../../src/monitors/live/watch.js';

const MB = 1_000_000;
const SEGMENT_MS = 240_000;

const kinds = [
  ['imu', 'sensor_msgs/msg/Imu', 200, 324],
  ['odom', 'nav_msgs/msg/Odometry', 50, 724],
  ['cmd_vel', 'geometry_msgs/msg/Twist', 50, 52],
  ['tf', 'tf2_msgs/msg/TFMessage', 50, 120],
  ['scan', 'sensor_msgs/msg/LaserScan', 10, 2_940],
  ['gps/fix', 'sensor_msgs/msg/NavSatFix', 10, 132],
  ['camera/image/compressed', 'sensor_msgs/msg/CompressedImage', 10, 90_000],
  ['fleet/state', 'holdfast/msg/FleetState', 5, 160],
  ['fleet/peers', 'holdfast/msg/FleetPeers', 5, 480],
  ['battery', 'sensor_msgs/msg/BatteryState', 1, 140],
  ['points', 'sensor_msgs/msg/PointCloud2', 1, 92_000],
  ['diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', 1, 900],
  ['arm/joint_states', 'sensor_msgs/msg/JointState', 100, 300],
  ['tf_static', 'tf2_msgs/msg/TFMessage', 0, 700],
  ['robot_description', 'std_msgs/msg/String', 0, 12_000],
] as const;

export interface PretendOptions {
  readonly robots: number;
  /** Everything is well, or everything an operator fears at once. */
  readonly mood: 'calm' | 'trouble';
}

/** A fleet that exists only as what a server would say of it. Repeats itself exactly. */
export class PretendFleet {
  phase = 'active';
  state: RecorderStatus['state'] = 'recording';
  hasSync = true;
  tags: Readonly<Record<string, string>> = {};
  /** What a test wants to be said of sync beside the rest, at a moment. */
  moreOfSync: (atMs: number) => Partial<SyncStatus> = () => ({});
  /** The same of the recorder. */
  moreOfRecorder: Partial<RecorderStatus> = {};
  readonly #startMs: number;
  #nowMs: number;
  readonly #points: HistoryPoint[] = [];
  #rows: TopicRow[];
  #steps = 0;

  readonly #options: PretendOptions;

  constructor(options: PretendOptions) {
    this.#options = options;
    this.#nowMs = Date.now();
    this.#startMs = this.#nowMs - 7_980_000;
    for (let s = 600; s > 0; s--) this.#points.push(this.#point(this.#nowMs - s * 1_000));
    this.#rows = Array.from({ length: options.robots * kinds.length }, (_, index) => this.#row(index));
  }

  hello(): Record<string, unknown> {
    return {
      type: 'hello',
      intervalMs: 500,
      status: this.#status(this.#nowMs),
      topics: this.#rows,
      topicsOmitted: 0,
      history: Object.fromEntries(
        Object.keys(historyColumns).map((name) => [
          name,
          this.#points.map((point) => point[name as keyof HistoryPoint]),
        ]),
      ),
      segments: this.#timeline(),
      log: this.#log(),
    };
  }

  /** Half a second later: every topic has moved. */
  step(): Record<string, unknown> {
    this.#steps++;
    this.#nowMs = Date.now();
    this.#rows = this.#rows.map((_, index) => this.#row(index));
    const isFull = this.#steps % 2 === 0;
    const point = this.#point(this.#nowMs);
    if (isFull) this.#points.push(point);
    return {
      type: 'update',
      status: this.#status(this.#nowMs),
      topics: this.#rows.map(deltaOf),
      ...(isFull ? { history: point } : {}),
    };
  }

  #row(index: number): TopicRow {
    const robot = Math.floor(index / kinds.length);
    const [name, type, hz, size] = kinds[index % kinds.length]!;
    const isDropping = this.#options.mood === 'trouble' && name.startsWith('camera') && robot % 4 === 1;
    const isSilent = this.#options.mood === 'trouble' && name === 'gps/fix' && robot % 5 === 2;
    const rate = isSilent ? 0 : hz * (1 + 0.06 * noise(index, this.#nowMs / 500));
    const received = hz === 0 ? 1 : Math.round((hz * (this.#nowMs - this.#startMs)) / 1_000);
    const lastMs = hz === 0 ? this.#startMs : isSilent ? this.#startMs + 7_900_000 : this.#nowMs - 300 / hz;
    return {
      id: index + 1,
      robot: robotName(robot),
      topic: `/${robotName(robot)}/${name}`,
      type,
      encoding: 'cdr',
      latched: hz === 0,
      priority: name.startsWith('camera') ? 'low' : 'normal',
      received,
      receivedBytes: received * size,
      dropped: isDropping ? Math.floor(received / 40) : 0,
      decimated: 0,
      messagesPerS: rate,
      bytesPerS: rate * size,
      queuedBytes: 0,
      lastReceivedAt: `${Math.floor(lastMs)}000000`,
      present: true,
      spark: Array.from({ length: 40 }, (_, i) =>
        isSilent && i > 12 ? 0 : hz * (1 + 0.06 * noise(index, this.#nowMs / 3_000 - 40 + i)),
      ),
    };
  }

  #point(atMs: number): HistoryPoint {
    return historyPoint(atMs, this.#recorder(atMs), this.#sync(atMs), this.#system());
  }

  #status(atMs: number): StatusDocument {
    const sync = this.hasSync ? this.#sync(atMs) : undefined;
    return {
      atMs,
      host: 'yard-recorder',
      phase: this.phase,
      recorder: this.#recorder(atMs),
      sync: sync ?? null,
      ...(sync === undefined ? { syncError: 'the sync of data folder /data is not running' } : {}),
      system: this.#system(),
      diskTimeToFullMs: this.#options.mood === 'trouble' ? 3_900_000 : null,
      alerts: this.#alerts(atMs),
      log: {
        level: 'info',
        listenerRunning: true,
        file: '/var/log/holdfast/recorder.log',
        fileBytes: 2.4 * MB,
        queuedLines: 0,
        queuedBytes: 0,
        queueMaxLines: 10_000,
        queueMaxBytes: MB,
        writtenLines: 4_120,
        droppedLines: 0,
        rotations: 1,
      },
      services: {},
    };
  }

  #recorder(atMs: number): RecorderStatus {
    const { robots, mood } = this.#options;
    const isTrouble = mood === 'trouble';
    const ups = (atMs - this.#startMs) / 1_000;
    const wave = noise(7, atMs / 4_000);
    const perRobot = { messages: 492 * (1 + 0.03 * wave), bytes: 1.09 * MB * (1 + 0.05 * wave) };
    const isOn = this.state === 'recording';
    const received = Math.round(492 * robots * ups);
    return {
      tags: this.tags,
      role: 'recorder',
      version: '0.1.0',
      pid: 4_242,
      state: this.state,
      sessionId: '6f'.repeat(16),
      dataFolder: '/var/lib/holdfast',
      startedAt: `${this.#startMs}000000`,
      sources: [
        { uri: 'foxglove:ws://127.0.0.1:8765', state: 'open' },
        ...(isTrouble
          ? [
              {
                uri: 'ros:?robots=auto',
                state: 'open' as const,
                stats: { duplicateMessages: 0, silentTopics: 2 },
              },
              { uri: 'udp:8000', state: 'waiting' as const, detail: 'the address is in use' },
              { uri: 'nats://10.0.0.4?stream=E', state: 'failed' as const },
            ]
          : []),
      ],
      totals: {
        received,
        receivedBytes: Math.round(1.09 * MB * robots * ups),
        durable: received - 41,
        durableBytes: Math.round(1.09 * MB * robots * ups) - 40_000,
        dropped: isTrouble ? 12_480 : 0,
        decimated: 0,
        droppedByReason: isTrouble ? { queue_full_drop_oldest: 12_412, paused: 68 } : {},
      },
      rates: {
        messagesPerS: isOn ? perRobot.messages * robots : 0,
        bytesPerS: isOn ? perRobot.bytes * robots : 0,
      },
      lossWindow: {
        ms: isOn ? 34 + 9 * noise(3, atMs / 1_000) + (isTrouble ? 160 : 0) : 0,
        messages: isOn ? 41 : 0,
        bytes: isOn ? 91_000 : 0,
        maxMs: 212,
      },
      commits: {
        count: Math.round(ups * 14),
        p50Ms: 6.2 + 1.2 * noise(4, atMs / 1_000),
        p99Ms: 19 + 6 * noise(5, atMs / 1_000) + (isTrouble ? 60 : 0),
        failed: 0,
      },
      queue: { bytes: isTrouble ? 152 * MB : 2.1 * MB, maxBytes: 256 * MB, messages: 410 },
      wal: {
        openSegment: segmentId(segmentCount(this.#startMs, atMs)),
        openBytes: (((atMs - this.#startMs) % SEGMENT_MS) / SEGMENT_MS) * 240 * MB,
        segmentMaxBytes: 256 * MB,
        segmentAgeMs: (atMs - this.#startMs) % SEGMENT_MS,
        waiting: 0,
      },
      sealed: { segments: 33 * robots, bytes: 33 * robots * 210 * MB },
      disk: {
        freeBytes: isTrouble ? 9_400 * MB : 412_000 * MB,
        totalBytes: 512_000 * MB,
        evictedSegments: isTrouble ? 2 : 0,
      },
      robots: Array.from({ length: robots }, (_, index) => {
        const isSilent = isTrouble && index === 3;
        const share = 1 + 0.25 * noise(index, 1);
        return {
          robot: robotName(index),
          channels: kinds.length,
          received: Math.round(492 * ups),
          durable: Math.round(492 * ups) - 2,
          dropped: isTrouble && index % 4 === 1 ? 2_496 : 0,
          decimated: 0,
          bytesPerS: isOn && !isSilent ? perRobot.bytes * share : 0,
          messagesPerS: isOn && !isSilent ? perRobot.messages * share : 0,
        };
      }),
      ...this.moreOfRecorder,
    };
  }

  #sync(atMs: number): SyncStatus {
    const isTrouble = this.#options.mood === 'trouble';
    const inSegmentMs = (atMs - this.#startMs) % SEGMENT_MS;
    return {
      role: 'sync',
      version: '0.1.0',
      pid: 4_250,
      dataFolder: '/var/lib/holdfast',
      store: 's3://recordings/yard-fleet',
      startedAt: `${this.#startMs}000000`,
      isSyncing: !isTrouble,
      link: isTrouble ? 'offline' : 'online',
      linkSince: `${isTrouble ? atMs - 540_000 : this.#startMs}000000`,
      lastSyncAt: `${isTrouble ? atMs - 560_000 : atMs - 14_000}000000`,
      ...(isTrouble ? {} : { storeLatencyMs: 41.3 + 8 * noise(6, atMs / 60_000) }),
      uploadErrors: isTrouble ? 14 : 1,
      ...(isTrouble
        ? {
            lastError: 'the store could not be reached: connect ETIMEDOUT 10.20.0.9:443',
            nextRetryInMs: 48_000,
          }
        : {}),
      segments: { pending: isTrouble ? 14 : 2, verified: 96, parked: isTrouble ? 1 : 0 },
      bytes: { pending: (isTrouble ? 2_940 : 310) * MB, verified: 20_160 * MB, resent: 8.4 * MB },
      resumedUploads: 3,
      ...(isTrouble
        ? {}
        : {
            current: {
              segment: segmentId(segmentCount(this.#startMs, atMs) - 1),
              robot: robotName(1),
              bytes: 208 * MB,
              progress: Math.min(0.97, inSegmentMs / 60_000),
            },
            etaMs: 95_000,
          }),
      oldestUnsyncedAt: `${isTrouble ? atMs - 1_500_000 : atMs - 96_000}000000`,
      transferBytesPerS: isTrouble ? 0 : 3.4 * MB,
      alarms: isTrouble
        ? [
            {
              segment: segmentId(12),
              robot: robotName(2),
              code: 'STORE_REFUSED',
              message: 'the store refuses this object for good: EntityTooLarge',
            },
          ]
        : [],
      ...this.moreOfSync(atMs),
    };
  }

  #system(): StatusDocument['system'] {
    return {
      memoryMb: 168,
      heapMb: 61,
      cpuPercent: this.#options.mood === 'trouble' ? 74 : 11.4,
      cores: 4,
      loadAverage1m: 0.62,
      hostMemoryFreeMb: 5_100,
      hostMemoryTotalMb: 8_192,
      uptimeS: 7_980,
    };
  }

  #alerts(atMs: number): Alert[] {
    const values: Readonly<Record<string, number>> =
      this.#options.mood === 'trouble'
        ? { drops: 31, disk_time_to_full: 3_900_000, link_down: 540_000, segment_parked: 1, quarantine: 1 }
        : {};
    return alertRules({
      lossWindowMs: 1_000,
      diskTimeToFullMs: 7_200_000,
      syncStalledMs: 120_000,
      linkDownMs: 300_000,
    }).map(({ id, severity, summary, unit, raise }) => {
      const value = values[id];
      return {
        ...{ id, severity, summary, unit, limit: raise, raised: value !== undefined },
        ...(value === undefined ? {} : { value, sinceMs: atMs - 240_000 }),
      };
    });
  }

  #timeline(): Timeline {
    const { robots, mood } = this.#options;
    const last = segmentCount(this.#startMs, this.#nowMs);
    const segments: TimelineSegment[] = [];
    for (let number = 1; number < last; number++) {
      // The recorder was away for a while: nothing was recorded, and that is to be seen.
      if (mood === 'trouble' && (number === 17 || number === 18)) continue;
      for (let robot = 0; robot < robots; robot++) segments.push(this.#segment(number, robot, last));
    }
    if (mood === 'trouble') {
      segments.push({ segment: segmentId(16), state: 'quarantined', bytes: 12 * MB, gaps: [], moreGaps: 0 });
    }
    const open = { segment: segmentId(last), number: last, state: 'open', bytes: 40 * MB } as const;
    segments.push({ ...open, gaps: [], moreGaps: 0 });
    return { version: 1, segments, omitted: 0, quarantined: mood === 'trouble' ? 1 : 0 };
  }

  #segment(number: number, robot: number, last: number): TimelineSegment {
    const isTrouble = this.#options.mood === 'trouble';
    const from = this.#startMs + (number - 1) * SEGMENT_MS;
    const waits = isTrouble ? last - number <= 7 : last - number <= 1;
    const isEvicted = number <= 2 && (!isTrouble || robot % 3 === 0);
    const isCut = number === 16 && isTrouble;
    const to = from + (isCut ? 100_000 : SEGMENT_MS - 40);
    const drops = isTrouble && robot % 4 === 1 && number % 5 === 0;
    const isUploading = !isTrouble && last - number === 1 && robot === 1;
    return {
      segment: segmentId(number),
      number,
      robot: robotName(robot),
      state: isEvicted ? 'evicted' : isUploading ? 'uploading' : waits ? 'sealed' : 'uploaded',
      bytes: (190 + 20 * noise(number, robot)) * MB,
      messages: Math.round(492 * 240 * (1 + 0.02 * noise(number, robot))),
      firstLogTime: `${from}000000`,
      lastLogTime: `${to}000000`,
      sealedAt: `${to + 1_800}000000`,
      ...(isUploading ? { progress: 0.62 } : {}),
      ...(isEvicted && isTrouble ? { reason: 'free space below its floor' } : {}),
      ...(isEvicted && !isTrouble ? { stores: ['s3://recordings/yard-fleet'] } : {}),
      ...(isCut ? { uncleanEnd: true } : {}),
      gaps: [
        ...(isCut
          ? [{ reason: 'unclean_end' as const, firstTime: `${to}000000`, lastTime: `${to}000000` }]
          : []),
        ...(number === 9
          ? [
              {
                reason: 'paused' as const,
                count: 61_400,
                firstTime: `${from + 60_000}000000`,
                lastTime: `${from + 185_000}000000`,
              },
            ]
          : []),
        ...(drops
          ? [
              {
                reason: 'queue_full_drop_oldest' as const,
                topic: `/${robotName(robot)}/camera/image/compressed`,
                count: 612,
                firstTime: `${from + 80_000}000000`,
                lastTime: `${from + 150_000}000000`,
              },
            ]
          : []),
      ],
      moreGaps: 0,
      ...(number === 22 ? { events: [markedEvent(from)] } : {}),
    };
  }

  #log(): LogLine[] {
    const trouble: readonly (readonly [LogLine['level'], string, string])[] =
      this.#options.mood === 'trouble'
        ? [
            ['warn', 'the store could not be reached', 'attempt=5 inMs=32000 code=ETIMEDOUT'],
            ['warn', 'messages were dropped', `topic=/${robotName(1)}/camera/image/compressed count=612`],
            ['error', 'a segment is damaged and was put into quarantine', `segment=${segmentId(16)}`],
            ['warn', 'alert: the store has been unreachable for a long time', 'alert=link_down limit=300000'],
          ]
        : [];
    const usual: readonly (readonly [LogLine['level'], string, string])[] = [
      ['info', 'segment sealed', `segment=${segmentId(32)} robot=${robotName(0)} bytes=204812331`],
      ['info', 'segment synced', `segment=${segmentId(31)} robot=${robotName(2)} durationMs=58210`],
      ['info', 'segment rolled', `segment=${segmentId(33)}`],
    ];
    return [...usual, ...usual, ...trouble, ...usual].map(([level, event, facts], index) => ({
      ...{ level, event, facts },
      atMs: this.#nowMs - (16 - index) * 21_000,
    }));
  }
}

function segmentCount(startMs: number, atMs: number): number {
  return Math.floor((atMs - startMs) / SEGMENT_MS) + 1;
}

function segmentId(number: number): string {
  return `${String(number).padStart(12, '0')}-${'0f1e2d3c4b5a6978'.repeat(2)}`;
}

function robotName(index: number): string {
  return `robot${index + 1}`;
}

function markedEvent(segmentFromMs: number): MarkedEvent {
  const at = segmentFromMs + 90_000;
  const [from, to] = [at - 120_000, at + 60_000];
  return {
    id: 'ab'.repeat(16),
    label: 'hard stop at gate 4',
    at: `${at}000000`,
    from: `${from}000000`,
    to: `${to}000000`,
  };
}

function deltaOf(row: TopicRow): TopicDelta {
  const { id, received, receivedBytes, dropped, messagesPerS, bytesPerS, queuedBytes, lastReceivedAt } = row;
  const lastMs = lastReceivedAt === undefined ? null : Number(lastReceivedAt.slice(0, -6));
  return [id, received, receivedBytes, dropped, messagesPerS, bytesPerS, queuedBytes, lastMs, 1];
}

/** -1 to 1, smooth in `at`, different for every seed, always the same. */
function noise(seed: number, at: number): number {
  return (
    0.5 * Math.sin(at * 0.7 + seed * 1.3) +
    0.3 * Math.sin(at * 1.9 + seed * 2.1) +
    0.2 * Math.sin(at * 4.3 + seed)
  );
}
