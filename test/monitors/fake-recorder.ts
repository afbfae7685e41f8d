import { HoldfastError } from '../../src/core/errors.js';
import { Emitter } from '../../src/core/emitter.js';
import type { RecorderEvent } from '../../src/core/events.js';
import type { MarkedEvent } from '../../src/core/marked-event.js';
import type { TagChanges, Tags } from '../../src/core/tags.js';
import { silentLogger } from '../../src/core/logger.js';
import type { Channel, Message } from '../../src/core/message.js';
import type { MonitoredRecorder, MonitoredSync, Timeline } from '../../src/core/monitoring.js';
import type { RecorderStatus, SyncStatus, TopicStats } from '../../src/core/status.js';
import type { TransformRule } from '../../src/core/transform/rule.js';
import type { WatchPorts } from '../../src/monitors/live/watch.js';
import { systemClock } from '../../src/host/system-clock.js';
import { silentLog } from './silent-log.js';

export function recorderStatus(changes: Partial<RecorderStatus> = {}): RecorderStatus {
  return {
    role: 'recorder',
    version: '1.2.3',
    pid: 1,
    state: 'recording',
    sessionId: '0f'.repeat(16),
    dataFolder: '/data',
    startedAt: '1700000000000000000',
    sources: [],
    totals: {
      received: 10,
      receivedBytes: 1_000,
      durable: 8,
      durableBytes: 800,
      dropped: 1,
      decimated: 0,
      droppedByReason: { memory_limit: 1 },
    },
    rates: { messagesPerS: 5, bytesPerS: 500 },
    lossWindow: { ms: 12, messages: 1, bytes: 100, maxMs: 40 },
    commits: {
      count: 4,
      p50Ms: 1,
      p99Ms: 3,
      failed: 0,
      durations: { boundsMs: [1, 10], atMost: [1, 4], count: 4, sumMs: 12 },
    },
    queue: { bytes: 100, maxBytes: 1_000, messages: 1 },
    wal: { openSegment: 'open', openBytes: 4_096, segmentMaxBytes: 1e6, segmentAgeMs: 10, waiting: 0 },
    sealed: { segments: 2, bytes: 5_000 },
    disk: { freeBytes: 1e9, totalBytes: 2e9, evictedSegments: 0 },
    robots: [
      {
        robot: 'robot1',
        channels: 2,
        received: 10,
        durable: 8,
        dropped: 1,
        decimated: 0,
        bytesPerS: 500,
        messagesPerS: 5,
      },
    ],
    ...changes,
  };
}

export function syncStatus(changes: Partial<SyncStatus> = {}): SyncStatus {
  return {
    role: 'sync',
    version: '1.2.3',
    pid: 2,
    dataFolder: '/data',
    store: 'dir:/store',
    startedAt: '1700000000000000000',
    isSyncing: false,
    link: 'online',
    linkSince: '1700000000000000000',
    uploadErrors: 0,
    segments: { pending: 1, verified: 1, parked: 0 },
    bytes: { pending: 100, verified: 100, resent: 0 },
    resumedUploads: 0,
    uploads: {
      segments: 1,
      bytes: 100,
      sentBytes: 100,
      retries: 0,
      durations: { boundsMs: [1_000], atMost: [1], count: 1, sumMs: 300 },
    },
    transferBytesPerS: 0,
    alarms: [],
    ...changes,
  };
}

export function topicStats(topic: string, changes: Partial<TopicStats> = {}): TopicStats {
  return {
    robot: 'robot1',
    topic,
    type: 'std_msgs/msg/String',
    encoding: 'cdr',
    latched: false,
    priority: 'normal',
    received: 1,
    receivedBytes: 10,
    dropped: 0,
    decimated: 0,
    messagesPerS: 1,
    bytesPerS: 10,
    queuedBytes: 0,
    lastReceivedAt: '1700000000000000000',
    present: true,
    ...changes,
  };
}

/** A recorder that records nothing: it answers as scripted, and notes each request. */
export class FakeRecorder implements MonitoredRecorder {
  phase = 'active';
  current = recorderStatus();
  topicList: TopicStats[] = [topicStats('/a'), topicStats('/b')];
  readonly asked: string[] = [];
  readonly known: Channel[] = [];
  readonly kept: Message[] = [];
  readonly events = new Emitter<RecorderEvent>('test', silentLogger);
  readonly messages = new Emitter<Message>('test', silentLogger);

  readonly onEvent = this.events.listen;

  status(): RecorderStatus {
    return this.current;
  }

  topics(): readonly TopicStats[] {
    return this.topicList;
  }

  transform(): readonly TransformRule[] {
    return [];
  }

  channels(): Iterable<Channel> {
    return this.known;
  }

  latched(): Iterable<Message> {
    return this.kept;
  }

  tap(listener: (message: Message) => void): () => void {
    return this.messages.listen(listener);
  }

  activate(): Promise<void> {
    return this.#note('activate');
  }

  deactivate(): Promise<void> {
    return this.#note('deactivate');
  }

  pause(): void {
    void this.#note('pause');
  }

  resume(): void {
    void this.#note('resume');
  }

  split(): Promise<void> {
    if (this.phase !== 'active') throw new HoldfastError('STATE_REFUSED', 'it does not record');
    return this.#note('split');
  }

  async markEvent(request: { label: string; beforeS: number; afterS: number }): Promise<MarkedEvent> {
    await this.#note(`mark ${request.label} ${request.beforeS} ${request.afterS}`);
    return { id: 'ab'.repeat(16), label: request.label, at: '3', from: '1', to: '5' };
  }

  async setTags(changes: TagChanges): Promise<Tags> {
    await this.#note(`tags ${JSON.stringify(changes)}`);
    return changes;
  }

  #note(what: string): Promise<void> {
    this.asked.push(what);
    return Promise.resolve();
  }
}

export class FakeSync implements MonitoredSync {
  current: SyncStatus | undefined = syncStatus();
  asked = 0;

  status(): Promise<SyncStatus> {
    return this.current === undefined
      ? Promise.reject(new HoldfastError('ROLE_NOT_RUNNING', 'sync is not running'))
      : Promise.resolve(this.current);
  }

  async syncNow(): Promise<void> {
    await this.status();
    this.asked++;
  }
}

export const noSegments: Timeline = { version: 0, segments: [], omitted: 0, quarantined: 0 };

export function watchPorts(recorder: MonitoredRecorder, sync: MonitoredSync = new FakeSync()): WatchPorts {
  return {
    recorder,
    sync,
    segments: { refresh: () => Promise.resolve(noSegments) },
    system: () => ({
      memoryMb: 100,
      heapMb: 20,
      cpuPercent: 1,
      cores: 2,
      loadAverage1m: 0,
      hostMemoryFreeMb: 1_000,
      hostMemoryTotalMb: 2_000,
      uptimeS: 5,
    }),
    log: silentLog(),
    clock: systemClock,
    logger: silentLogger,
    host: 'robot-host',
    rules: [],
  };
}
