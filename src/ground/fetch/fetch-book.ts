import { isDeepStrictEqual } from 'node:util';
import { formatTime } from '../../core/clock.js';
import type { FetchRequest } from '../../core/fetch-request.js';
import { fetchLimits, type FetchUpdate } from '../../uplink/protocol/fetch-update.js';
import type { Database, Queries } from '../database/database.js';
import { stateBy, type FetchViewState, type FetchWay, type KeptRequest } from './fetch-view.js';

/** Answers of one request: a robot with more stores than this is not known. */
const PLACES_MAX = 32;
/** How long an ended request is kept. */
const KEEP = '400 days';

/** Requests that are shown. */
export interface FetchFilter {
  readonly robot?: string;
  /** Only those that have not ended. */
  readonly isOpen?: boolean;
  readonly limit: number;
}

interface Row {
  readonly request: FetchRequest;
  readonly via: FetchWay;
  readonly state: FetchViewState;
  readonly reason: string;
  readonly answers: Readonly<Record<string, FetchUpdate>>;
  readonly updatedAt: bigint;
  readonly endedAt: bigint | null;
}

const SHOWN =
  'request, via, state, reason, answers, updated_at AS "updatedAt", ended_at AS "endedAt" FROM fetch_requests';
const ends: ReadonlySet<FetchViewState> = new Set(['done', 'expired', 'refused', 'withdrawn']);

/** The requests of a ground, in its database: every process of the ground sees the same. */
export class FetchBook {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds a request, durably. False: the robot has too many open ones. */
  async add(request: FetchRequest, via: FetchWay): Promise<boolean> {
    const { id, robot, createdAt, expiresAt } = request;
    return await this.#database.transaction(async ({ query }) => {
      // Two processes that add at once must not pass the limit together.
      await query('SELECT pg_advisory_xact_lock(hashtext($1))', [`fetch ${robot}`]);
      const [open] = await query<{ count: number }>(
        'SELECT count(*) AS count FROM fetch_requests WHERE robot = $1 AND ended_at IS NULL',
        [robot],
      );
      if ((open?.count ?? 0) >= fetchLimits.requests) return false;
      const [created, expires] = [formatTime(BigInt(createdAt)), formatTime(BigInt(expiresAt))];
      await query(
        'INSERT INTO fetch_requests (id, robot, request, via, created_at, expires_at, state, updated_at) ' +
          `VALUES ($1, $2, $3, $4, $5, $6, 'queued', $5)`,
        [id, robot, jsonb(request), via, created, expires],
      );
      return true;
    });
  }

  /** Undefined: there is no such request. */
  async find(id: string): Promise<KeptRequest | undefined> {
    return one(await this.#database.query<Row>(`SELECT ${SHOWN} WHERE id = $1`, [id]));
  }

  /** The newest first. */
  async list({ robot, isOpen = false, limit }: FetchFilter): Promise<readonly KeptRequest[]> {
    const rows = await this.#database.query<Row>(
      `SELECT ${SHOWN} WHERE ($1::text IS NULL OR robot = $1) AND (NOT $2 OR ended_at IS NULL)
       ORDER BY created_at DESC, id LIMIT $3`,
      [robot ?? null, isOpen, limit],
    );
    return rows.map(kept);
  }

  /** Those that have not ended, oldest first. */
  async open(via: FetchWay): Promise<readonly KeptRequest[]> {
    const rows = await this.#database.query<Row>(
      `SELECT ${SHOWN} WHERE ended_at IS NULL AND via = $1 ORDER BY created_at, id`,
      [via],
    );
    return rows.map(kept);
  }

  /** Notes what a robot says. A request that has ended stays as it is, and one of another robot is unknown. */
  async note(robot: string, update: FetchUpdate, now: bigint): Promise<void> {
    await this.#database.transaction(async ({ query }) => {
      const before = await lockOpen(query, update.id);
      if (before?.request.robot !== robot) return;
      const others = before.answers.filter(({ place }) => place !== update.place);
      if (others.length >= PLACES_MAX) return;
      if (before.answers.some((one) => isSame(one, update))) return;
      const answers = [...others, update];
      await write(query, update.id, answers, { state: stateBy(answers), reason: before.reason, now });
    });
  }

  /** Says what the ground knows about an open request. */
  async explain(id: string, reason: string, now: bigint): Promise<void> {
    await this.#database.query(
      'UPDATE fetch_requests SET reason = $2, updated_at = $3 WHERE id = $1 AND ended_at IS NULL',
      [id, reason, formatTime(now)],
    );
  }

  /** Ends a request, or says what the ground knows about it. False: it has ended before, or is unknown. */
  async set(id: string, state: FetchViewState, reason: string, now: bigint): Promise<boolean> {
    return await this.#database.transaction(async ({ query }) => {
      const before = await lockOpen(query, id);
      if (before === undefined) return false;
      await write(query, id, before.answers, { state, reason, now });
      return true;
    });
  }

  /** Ends requests that nobody has answered in time, and forgets old ones. */
  async expire(now: bigint): Promise<void> {
    const at = formatTime(now);
    // A robot says itself what it did until then; it may be offline for a while.
    await this.#database.query(
      `UPDATE fetch_requests SET state = 'expired', ended_at = $1, updated_at = $1,
         reason = 'the robot did not answer in time'
       WHERE ended_at IS NULL AND expires_at < $1::timestamptz - interval '1 hour'`,
      [at],
    );
    await this.#database.query(
      `DELETE FROM fetch_requests WHERE ended_at < $1::timestamptz - interval '${KEEP}'`,
      [at],
    );
  }
}

async function lockOpen(query: Queries['query'], id: string): Promise<KeptRequest | undefined> {
  return one(await query<Row>(`SELECT ${SHOWN} WHERE id = $1 AND ended_at IS NULL FOR UPDATE`, [id]));
}

interface Standing {
  readonly state: FetchViewState;
  readonly reason: string;
  readonly now: bigint;
}

async function write(
  query: Queries['query'],
  id: string,
  answers: readonly FetchUpdate[],
  { state, reason, now }: Standing,
): Promise<void> {
  const byPlace = Object.fromEntries(answers.map((answer) => [answer.place, answer]));
  const at = formatTime(now);
  await query(
    'UPDATE fetch_requests SET answers = $2, state = $3, reason = $4, updated_at = $5, ended_at = $6 WHERE id = $1',
    [id, jsonb(byPlace), state, reason, at, ends.has(state) ? at : null],
  );
}

/** PostgreSQL holds neither zero characters nor halves of surrogate pairs. */
function jsonb(value: object): string {
  return JSON.stringify(value).replace(/\\u(0000|d[89a-f][0-9a-f]{2})/g, '\\ufffd');
}

/** The order of members in a jsonb is another one. */
function isSame(before: FetchUpdate, now: FetchUpdate): boolean {
  return isDeepStrictEqual(JSON.parse(jsonb(before)), JSON.parse(jsonb(now)));
}

function one(rows: readonly Row[]): KeptRequest | undefined {
  return rows.map(kept)[0];
}

function kept({ answers, endedAt, ...row }: Row): KeptRequest {
  return { ...row, answers: Object.values(answers), endedAt: endedAt ?? undefined };
}
