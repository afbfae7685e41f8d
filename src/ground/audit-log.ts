import { join } from 'node:path';
import { HoldfastError } from '../core/errors.js';
import { readFileIfPresent, syncDirectory } from '../core/durable-files.js';
import { documentKind } from '../core/documents/document.js';
import { object, text } from '../core/documents/schema-parts.js';
import type { FileSystem } from '../core/file-system.js';
import { SerialQueue } from '../core/serial-queue.js';
import type { AccessRole } from '../monitors/http/access.js';
import { actionNames, type ActionName } from '../uplink/protocol/robot-command.js';

/**
 * How a command ended. `asked`: there is no answer yet, or the ground died before it could note one.
 * `timed_out` and `disconnected`: the robot may have done it.
 */
export const auditStates = ['asked', 'done', 'refused', 'timed_out', 'disconnected', 'offline'] as const;

/** What an admin does to the ground: to robots that may connect, to users, and to what it keeps. */
const accessActions = ['enrol', 'revoke', 'add_user', 'revoke_user', 'delete'] as const;

/** Commands of the uplink, requests for segments, and what an admin does. */
export type AuditedAction = ActionName | 'fetch' | 'withdraw_fetch' | (typeof accessActions)[number];

export const auditedActions: readonly AuditedAction[] = [
  ...actionNames,
  ...(['fetch', 'withdraw_fetch'] as const),
  ...accessActions,
];

export type AuditState = (typeof auditStates)[number];

/** A command that somebody gave, and how it ended. */
export interface AuditEntry {
  /** Unique in the log. */
  readonly id: string;
  /** ISO 8601, on the ground's clock. */
  readonly at: string;
  readonly who: string;
  readonly role: AccessRole;
  /** Where the request came from. */
  readonly address: string;
  /** Empty: what was done concerns no robot. */
  readonly robot: string;
  readonly command: AuditedAction;
  /** Of a marked event, a parameter, tags, what is requested, or which user; otherwise empty. */
  readonly label: string;
  readonly state: AuditState;
  /** What the robot said, in words. */
  readonly message: string;
  /** When it ended, ISO 8601; empty: not yet. */
  readonly endedAt: string;
}

/** The log of all commands: entries are only added. */
export interface AuditLog {
  /** Durable when this resolves. An entry with the id of an earlier one says how that one ended. */
  append(entry: AuditEntry): Promise<void>;
  /** The newest first. */
  list(limit: number): Promise<readonly AuditEntry[]>;
}

/** The last entry of each command, by when it was given: the newest first. Expects the oldest first. */
export function latestFirst(entries: readonly AuditEntry[], limit: number): readonly AuditEntry[] {
  const byId = new Map<string, AuditEntry>();
  for (const entry of entries) byId.set(entry.id, entry);
  return [...byId.values()].reverse().slice(0, limit);
}

/** The audit log as a file of JSON lines in the ground's folder. */
export class AuditFile implements AuditLog {
  readonly #folder: string;
  readonly #path: string;
  readonly #fs: FileSystem;
  readonly #queue = new SerialQueue();

  constructor(folder: string, fs: FileSystem) {
    this.#folder = folder;
    this.#path = join(folder, 'audit.jsonl');
    this.#fs = fs;
  }

  append(entry: AuditEntry): Promise<void> {
    return this.#queue.run(async () => {
      try {
        const file = await this.#fs.open(this.#path, 'a', 0o600);
        try {
          // A line that a crash cut off must not take the next one with it.
          await file.appendFile(`\n${JSON.stringify(entry)}`);
          await file.sync();
          // Without its entry in the folder, a new file is gone after a power cut.
          await syncDirectory(this.#fs, this.#folder);
        } finally {
          await file.close();
        }
      } catch (cause) {
        throw new HoldfastError('STATE_REFUSED', `the audit log ${this.#path} cannot be written`, { cause });
      }
    });
  }

  async list(limit: number): Promise<readonly AuditEntry[]> {
    const lines = (await readFileIfPresent(this.#fs, this.#path))?.toString('utf8') ?? '';
    const found = lines.split('\n').map((line) => entries.parseIfValid(line));
    return latestFirst(
      found.filter((entry) => entry !== undefined),
      limit,
    );
  }
}

const word = { ...text, maxLength: 10_000, description: 'a text of at most 10,000 characters' };

/** A line of the file. A crash may have cut it off. */
const entries = documentKind<AuditEntry>(
  'audit entry',
  object({
    ...{ id: word, at: word, who: word, address: word, robot: word, label: word, message: word },
    ...{ endedAt: word, command: word, role: word },
    state: { enum: [...auditStates], description: auditStates.join(', ') },
  }),
);
