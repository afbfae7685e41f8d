import { join } from 'node:path';
import { defined } from '../core/defined.js';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import {
  SEND_POLICY_FILE,
  type SendPolicyFile,
  type SinkPolicyRecord,
} from '../core/send-policy/policy-record.js';
import type { SerialQueue } from '../core/serial-queue.js';
import { recipientName } from '../encryption/wrapped-key.js';
import type { SyncOptions } from './sync-options.js';
import type { SinkSpec } from './sync-sink.js';

interface Ports {
  readonly fs: FileSystem;
  /** Of the data folder. */
  readonly root: string;
  /** Shared by all writers of files in the data folder. */
  readonly turns: SerialQueue;
  readonly logger: Logger;
}

/** The policy of one sink: its own, or that of the process. */
export function policyOf(sink: SinkSpec, options: SyncOptions): SinkPolicyRecord {
  return {
    name: sink.name,
    upload: sink.upload ?? options.upload,
    when: (sink.when ?? options.when).map(({ text }) => text),
    budgetBytesPerDay: sink.budgetBytesPerDay ?? options.budgetBytesPerDay,
    pass: sink.pass ?? options.pass,
    recipients: (sink.recipients ?? []).map(recipientName),
    ...defined({ transform: sink.transform?.() }),
  };
}

/** Tells the recorder the policy of all sinks of a data folder: it follows the topics and says it in the recording. */
export class SendPolicyTeller {
  readonly #ports: Ports;
  readonly #path: string;
  #told: string | undefined;
  #hasFailed = false;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#path = join(ports.root, SEND_POLICY_FILE);
  }

  /** Never rejects: while the file cannot be written, the topics are unknown, and the next call tries again. */
  async tell(sinks: readonly SinkSpec[], options: SyncOptions): Promise<void> {
    const file: SendPolicyFile = {
      version: 1,
      topicMaxAgeMs: options.topicMaxAgeMs,
      sinks: sinks.map((sink) => policyOf(sink, options)),
    };
    const text = `${JSON.stringify(file, null, 1)}\n`;
    if (text === this.#told) return;
    this.#told = text;
    const { fs, turns, logger } = this.#ports;
    try {
      await turns.run(async () => {
        const known = await readStateIfReadable(fs, this.#path);
        if (known?.toString('utf8') !== text) await writeFileDurably(fs, this.#path, text);
      });
      this.#hasFailed = false;
    } catch (error) {
      this.#told = undefined;
      if (!this.#hasFailed) {
        logger.warn('cannot tell the recorder the send policy; will retry', { error: describeError(error) });
      }
      this.#hasFailed = true;
    }
  }
}
