import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import { Emitter } from '../core/emitter.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Listen } from '../core/listen.js';
import type { Logger } from '../core/logger.js';
import type { Channel, Message } from '../core/message.js';
import { comparisonsOf, onlyCompared } from '../core/send-policy/compared-values.js';
import { isFieldRule, type TransformRule } from '../core/transform/rule.js';
import {
  fieldsOf,
  rulesOf,
  SEND_POLICY_FILE,
  sendPolicyFiles,
  type SinkPolicyRecord,
} from '../core/send-policy/policy-record.js';
import type { FieldComparison } from '../core/send-policy/topic-condition.js';
import {
  CONDITION_FIELDS_MAX,
  CONDITION_VALUES_FILE,
  conditionValueFiles,
  type ConditionValues,
} from '../core/send-policy/topic-values.js';
import { FollowedTopics } from './followed-topics.js';

/** A value is written this often within its greatest age, so that a late write does not make it too old. */
const WRITES_PER_AGE = 3n;
const NS_PER_MS = 1_000_000n;

interface Ports {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The latched messages that are recorded: they do not come again. */
  readonly latched: () => Iterable<Message>;
  /** Whether values may lie readable on the disk. Otherwise the file says only which comparisons they meet. */
  readonly mayWriteValues: boolean;
}

/**
 * Follows the topics that conditions of `sync.when` need, and writes their last values for sync. Sync writes its policy
 * into a file of the data folder and reads the values from another, so either process may be dead.
 */
export class ConditionWatch {
  readonly #policyPath: string;
  readonly #valuesPath: string;
  readonly #ports: Ports;
  readonly #changes: Emitter<void>;
  /** The text that named the fields. */
  #text = '';
  #fields = '[]';
  #comparisons: readonly FieldComparison[] = [];
  #sinks: readonly SinkPolicyRecord[] | undefined;
  #transform: readonly TransformRule[] | undefined;
  #maxAgeNs = 0n;
  #isRunning = false;
  #followed: FollowedTopics;
  #written = '[]';
  #writtenAt = 0n;
  #hasFailed = false;

  private constructor(root: string, ports: Ports) {
    this.#policyPath = join(root, SEND_POLICY_FILE);
    this.#valuesPath = join(root, CONDITION_VALUES_FILE);
    this.#ports = ports;
    this.#changes = new Emitter('the topics of conditions', ports.logger);
    this.#followed = new FollowedTopics(ports.clock, []);
  }

  /** Reads the policy. A disk that cannot be read does not stop a recorder: the next tick tries again. */
  static async open(root: string, ports: Ports): Promise<ConditionWatch> {
    const watch = new ConditionWatch(root, ports);
    await watch.#readPolicy().catch(() => undefined);
    await watch.#removeValues().catch(() => undefined);
    return watch;
  }

  /** Those that a recorder without a key at rest has left. */
  async #removeValues(): Promise<void> {
    const { fs, mayWriteValues } = this.#ports;
    const text = mayWriteValues ? undefined : await readStateIfReadable(fs, this.#valuesPath);
    if (!text) return;
    const file = conditionValueFiles.parseIfValid(text.toString('utf8'));
    if (file?.values.every(({ value }) => value === undefined)) return;
    await fs.rm(this.#valuesPath, { force: true });
  }

  /** What sync sends, when and for whom; undefined: no sync has told it. */
  get policy(): readonly SinkPolicyRecord[] | undefined {
    return this.#sinks;
  }

  /**
   * The rules of `sync.transform` that sync has told, those of all sinks; undefined: they cannot be read, so nothing
   * may leave that they could change.
   */
  get transform(): readonly TransformRule[] | undefined {
    return this.#transform;
  }

  /** Whether values of a topic may be in what sync neither encrypts nor changes, such as labels of marks. */
  mayShow(topic: string): boolean {
    const isEncrypted = this.#sinks?.some(({ recipients }) => recipients.length > 0) === true;
    return !isEncrypted && this.#transform?.some((rule) => isFieldRule(rule, topic)) === false;
  }

  /** Whether a condition needs this topic: it must be subscribed to, also if it is not recorded. */
  needs(topic: string): boolean {
    return this.#followed.has(topic);
  }

  /** The answers of {@link needs} have changed. */
  get onTopics(): Listen<void> {
    return this.#changes.listen;
  }

  /** A message came, recorded or not. */
  see(message: Message): void {
    if (!this.#followed.isEmpty) this.#followed.see(message);
  }

  gone(channel: Channel): void {
    this.#followed.gone(channel);
  }

  /** The sources are about to begin. */
  began(): void {
    this.#isRunning = true;
  }

  /** The sources have ended: nothing is current any more. */
  ended(): void {
    this.#isRunning = false;
    this.#followed.clear();
  }

  /** Call it once a second: reads which fields are needed, and writes their values. Never rejects. */
  async tick(): Promise<void> {
    try {
      await this.#readPolicy();
      await this.#writeValues();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) {
        this.#ports.logger.warn('the values of topics for sync.when cannot be written; will retry', {
          error: describeError(error),
        });
      }
      this.#hasFailed = true;
    }
  }

  async #readPolicy(): Promise<void> {
    const { fs, clock, latched } = this.#ports;
    const text = (await readStateIfReadable(fs, this.#policyPath))?.toString('utf8') ?? '';
    if (text === this.#text && this.#transform !== undefined) return;
    this.#text = text;
    // A damaged file names none. Sync writes it again when it starts.
    const policy = sendPolicyFiles.parseIfValid(text);
    this.#sinks = policy?.sinks;
    const isReadable = text === '' || policy !== undefined;
    this.#transform = isReadable ? rulesOf(policy?.sinks ?? []) : undefined;
    this.#comparisons = comparisonsOf(policy?.sinks ?? []);
    this.#maxAgeNs = BigInt(policy?.topicMaxAgeMs ?? 0) * NS_PER_MS;
    const fields = fieldsOf(policy?.sinks ?? []).slice(0, CONDITION_FIELDS_MAX);
    // The values that are known stay, unless others are needed.
    if (JSON.stringify(fields) === this.#fields) return;
    this.#fields = JSON.stringify(fields);
    this.#followed = new FollowedTopics(clock, fields);
    if (this.#isRunning) for (const message of latched()) this.see(message);
    this.#changes.emit();
  }

  async #writeValues(): Promise<void> {
    const { fs, clock, mayWriteValues } = this.#ports;
    const read = this.#followed.values();
    const values = mayWriteValues ? read : onlyCompared(read, this.#comparisons);
    const content = JSON.stringify(values.map(({ at: _, ...one }) => one));
    const now = clock.monotonic();
    const isDue = values.length > 0 && now - this.#writtenAt >= this.#maxAgeNs / WRITES_PER_AGE;
    if (content === this.#written && !isDue) return;
    const file: ConditionValues = { version: 1, values };
    await writeFileDurably(fs, this.#valuesPath, `${JSON.stringify(file, null, 1)}\n`);
    this.#written = content;
    this.#writtenAt = now;
  }
}
