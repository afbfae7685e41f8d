import { formatTime } from '../core/clock.js';
import { describeError, HoldfastError } from '../core/errors.js';
import type { AccessRole } from '../monitors/http/access.js';
import {
  latestFirst,
  type AuditedAction,
  type AuditEntry,
  type AuditLog,
  type AuditState,
} from './audit-log.js';
import type { Database } from './database/database.js';

interface AuditRow {
  readonly id: string;
  readonly at: bigint;
  readonly who: string;
  readonly role: AccessRole;
  readonly address: string;
  readonly robot: string;
  readonly command: AuditedAction;
  readonly label: string;
  readonly state: AuditState;
  readonly message: string;
  readonly ended_at: bigint | null;
}

/** Commands that may be under way while others end: rows that are read beyond those that are needed. */
const SPARE_ROWS = 200;

/** The audit log as a table of the ground's database, which refuses changes of its rows. */
export class AuditTable implements AuditLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async append(entry: AuditEntry): Promise<void> {
    const { id, at, who, role, address, robot, command, label, state, message, endedAt } = entry;
    const values = [id, at, who, role, address, robot, command, label, state, message];
    try {
      await this.#database.query(
        'INSERT INTO audit (id, at, who, role, address, robot, command, label, state, message, ended_at) ' +
          'VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
        [...values, endedAt === '' ? null : endedAt],
      );
    } catch (cause) {
      const message = `the audit log cannot be written: ${describeError(cause)}`;
      throw new HoldfastError('STATE_REFUSED', message, { cause });
    }
  }

  async list(limit: number): Promise<readonly AuditEntry[]> {
    const rows = await this.#database.query<AuditRow>(
      'SELECT id, at, who, role, address, robot, command, label, state, message, ended_at ' +
        'FROM audit ORDER BY number DESC LIMIT $1',
      [2 * limit + SPARE_ROWS],
    );
    return latestFirst([...rows].reverse().map(entryOf), limit);
  }
}

function entryOf({ at, ended_at: endedAt, ...rest }: AuditRow): AuditEntry {
  return { ...rest, at: formatTime(at), endedAt: endedAt === null ? '' : formatTime(endedAt) };
}
