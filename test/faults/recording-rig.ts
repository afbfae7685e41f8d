import { randomBytes } from 'node:crypto';
import * as realFs from 'node:fs/promises';
import { Subject, type Subscription } from 'rxjs';
import { defined } from '../../src/core/defined.js';
import { systemClock } from '../../src/host/system-clock.js';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { systemCode } from '../../src/core/errors.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { silentLogger, type Logger } from '../../src/core/logger.js';
import type { Channel, Message, Priority, QueuePolicy } from '../../src/core/message.js';
import type { SourceGap } from '../../src/core/source.js';
import { DropLedger } from '../../src/ingest/drop-ledger.js';
import { giveUp } from '../../src/ingest/give-up.js';
import { groupCommit } from '../../src/ingest/group-commit.js';
import { IngestBuffer } from '../../src/ingest/ingest-buffer.js';
import { makeRoomForStart } from '../../src/seal/retention-start.js';
import { Retention } from '../../src/seal/retention.js';
import type { RetentionOptions } from '../../src/seal/retention-options.js';
import { sealSegment } from '../../src/seal/seal-segment.js';
import { Sealer } from '../../src/seal/sealer.js';
import type { Durability } from '../../src/wal/durability.js';
import { recoverWal } from '../../src/wal/recover.js';
import { Wal } from '../../src/wal/wal.js';
import { sleep } from '../../src/testing/waiting.js';

const KIB = 1024;
const TICK_MS = 20;
const priorities: readonly Priority[] = ['high', 'normal', 'low'];

export interface RigOptions extends Partial<RetentionOptions> {
  readonly fs?: FileSystem;
  readonly logger?: Logger;
  /** Default: `drop-oldest`. */
  readonly policy?: QueuePolicy;
  /** Default: `commit`. */
  readonly durability?: Durability;
  /** How long {@link RecordingRig.close} lets commits fail. Default: 1 s. */
  readonly closePatienceMs?: number;
}

/**
 * Everything between a source and the sealed files, as the recorder wires it: buffer, group commit, WAL,
 * sealer, retention. Small limits, so that a disk of a few megabytes is soon full.
 */
export class RecordingRig {
  readonly folder: DataFolder;
  readonly acknowledged = new Set<number>();
  readonly stalls: string[] = [];
  sent = 0;
  /** Messages in memory when the rig closed and the disk still refused them. */
  givenUp = 0;
  readonly #input = new Subject<Message | SourceGap>();
  readonly #drops = new DropLedger(randomBytes);
  readonly #buffer: IngestBuffer;
  readonly #channels: readonly Channel[];
  readonly #giveUp = new AbortController();
  readonly #closePatienceMs: number;
  #subscription: Subscription | undefined;
  #ended: Promise<void> | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #walStall: 'disk_full' | 'commit_failed' | undefined;
  wal!: Wal;
  sealer!: Sealer;
  retention!: Retention;

  private constructor(root: string, policy: QueuePolicy, closePatienceMs: number) {
    this.#closePatienceMs = closePatienceMs;
    this.folder = dataFolder(root);
    this.#channels = priorities.map((priority) => ({
      robot: 'r1',
      topic: `/${priority}`,
      encoding: 'application/octet-stream',
      schema: { name: '', encoding: '', data: Buffer.alloc(0) },
      metadata: {},
      latched: false,
    }));
    this.#buffer = new IngestBuffer(
      { totalMaxBytes: 256 * KIB, maxChannels: 10 },
      ({ topic }) => ({
        priority: topic.slice(1) as Priority,
        policy,
        queueMaxBytes: 128 * KIB,
      }),
      this.#drops,
    );
  }

  static async open(root: string, options: RigOptions = {}): Promise<RecordingRig> {
    const { policy = 'drop-oldest', closePatienceMs = 1000 } = options;
    const rig = new RecordingRig(root, policy, closePatienceMs);
    await rig.#start(options);
    return rig;
  }

  async #start(options: RigOptions): Promise<void> {
    const { fs = realFs, logger = silentLogger, durability = 'commit', ...given } = options;
    const { folder } = this;
    const buffer = this.#buffer;
    const drops = this.#drops;
    const clock = systemClock;
    const identity = { dataFolderId: 'f', machineId: '', bootId: '', sessionId: '', hostname: '' };
    const retentionOptions: RetentionOptions = {
      minFreeBytes: 0,
      minFreePercent: 50,
      maxBytes: 0,
      whenFull: 'stop',
      confirmMaxAgeMs: 600_000,
      ballastBytes: 0,
      segmentMaxBytes: 512 * KIB,
      ...given,
    };
    // No sync answers here.
    const ports = { fs, clock, random: randomBytes, logger, patienceMs: 0 };
    const recovered = await recoverWal(fs, folder, logger).catch(async (error: unknown) => {
      if (systemCode(error) !== 'ENOSPC' || !(await makeRoomForStart(folder, retentionOptions, ports)))
        throw error;
      return recoverWal(fs, folder, logger);
    });
    const retention = await Retention.open(folder, retentionOptions, ports);
    this.retention = retention;
    const diskFull = (): void => {
      retention.onDiskFull();
      this.#showStall();
      void this.#tick();
    };
    this.sealer = new Sealer(
      folder,
      {
        compression: 'none',
        level: 1,
        chunkBytes: 64 * KIB,
        splitByPriority: true,
        softwareVersion: '0',
        nodeVersion: 'v20',
      },
      {
        fs,
        clock,
        logger,
        identity,
        seal: (request) => sealSegment(fs, request),
        onSealed: (manifests) => retention.add(manifests),
        onDiskFull: diskFull,
      },
    );
    this.wal = new Wal(
      folder,
      recovered.head,
      identity,
      {
        durability,
        intervalMs: 100,
        segmentMaxBytes: retentionOptions.segmentMaxBytes,
        segmentMaxAgeMs: 60_000,
        latchedMaxBytes: KIB,
        softwareVersion: '0',
      },
      {
        fs,
        clock,
        random: randomBytes,
        logger,
        priorityOf: (channel) => channel.topic.slice(1) as Priority,
        onClosed: (segment) => this.sealer.enqueue({ ...segment, recovered: false }),
        onGapsUnsure: (gaps) => drops.putBack(gaps),
        onStall: (reason) => {
          this.#walStall = reason as 'disk_full' | 'commit_failed' | undefined;
          if (reason) this.stalls.push(reason);
          if (reason === 'disk_full') diskFull();
          this.#showStall();
        },
      },
    );
    for (const { id, directory, cutAtSequence } of recovered.segments) {
      this.sealer.enqueue({
        id,
        directory,
        recovered: true,
        ...defined({ cutAtSequence }),
      });
    }
    this.#ended = new Promise((resolve, reject) => {
      this.#subscription = this.#input
        .pipe(
          groupCommit({
            buffer,
            drops,
            clock,
            limits: { maxBytes: 128 * KIB, maxCount: 1000, maxAgeMs: 2 },
            commit: async (batch) => {
              await retention.room(this.#giveUp.signal);
              await this.wal.commit(batch, this.#giveUp.signal);
            },
            upcoming: (batch) => this.wal.writeAhead(batch),
            giveUp: (left) => {
              this.givenUp = left.messages.length;
              return giveUp(left, {
                buffer,
                drops,
                commit: (batch) => this.wal.commit(batch, this.#giveUp.signal),
                // It acknowledges to the test, which delivers nothing twice.
                isKept: () => false,
              });
            },
          }),
        )
        .subscribe({ error: reject, complete: resolve });
    });
    this.#ended.catch(() => undefined);
    await this.#tick();
    this.#ticker = setInterval(() => void this.#tick(), TICK_MS);
  }

  /** One message; a third of them in each priority class. Its number is in its first bytes. */
  send(bytes: number): void {
    const number = this.sent++;
    const data = Buffer.alloc(Math.max(8, bytes), number & 0xff);
    data.writeDoubleLE(number);
    const now = systemClock.now();
    this.#input.next({
      kind: 'message',
      channel: this.#channels[number % this.#channels.length] as Channel,
      data,
      receivedAt: now,
      publishedAt: now,
      sourceSequence: Math.floor(number / this.#channels.length) + 1,
      ack: () => this.acknowledged.add(number),
    });
  }

  /** Sends until `done`; lets everything else work after every message. */
  async sendUntil(done: () => boolean, bytes = 16 * KIB, patienceMs = 30_000): Promise<void> {
    for (const end = Date.now() + patienceMs; !done();) {
      if (Date.now() > end)
        throw new Error(`nothing happened in ${patienceMs} ms; stalls: ${this.stalls.join(' ')}`);
      this.send(bytes);
      await sleep(1);
    }
  }

  /** Messages that no durable gap accounts for; the recorder reports them as undurable. */
  get unwritten(): number {
    return this.#drops.unwritten;
  }

  /** Ends as the recorder does: commits what was taken in, ends the segment, seals. */
  async close(): Promise<void> {
    this.#input.complete();
    const patience = setTimeout(() => this.#giveUp.abort(), this.#closePatienceMs);
    await this.#ended?.catch(() => undefined);
    clearTimeout(patience);
    await this.wal.close();
    await this.sealer.drain();
    await this.sealer.close();
    clearInterval(this.#ticker);
    this.#subscription?.unsubscribe();
    await this.retention.close();
  }

  // Retention first, and never behind the WAL, which waits while the disk is full.
  async #tick(): Promise<void> {
    const { retention, sealer, wal } = this;
    await retention.tick(sealer.unfinished());
    this.#showStall();
    void wal.rollIfOld();
  }

  #showStall(): void {
    this.#buffer.stalledBy = this.#walStall ?? (this.retention.state.admits ? undefined : 'disk_full');
  }
}
