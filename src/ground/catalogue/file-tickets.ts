import { createHmac, timingSafeEqual } from 'node:crypto';
import { NS_PER_S, type Clock } from '../../core/clock.js';
import { documentKind } from '../../core/documents/document.js';
import { object, text, time } from '../../core/documents/schema-parts.js';
import type { Database } from '../database/database.js';

/** One object of a store that a ticket lets its holder read. */
export interface TicketFile {
  readonly store: string;
  readonly key: string;
}

interface Ticket extends TicketFile {
  /** Nanoseconds since the Unix epoch. */
  readonly until: string;
}

/** A viewer that has a file open reads from it for hours. */
const VALID_S = 12n * 3_600n;
/** A longer one is not one of ours. */
const MAX_CHARS = 4_096;
const tickets = documentKind<Ticket>('ticket', object({ store: text, key: text, until: time }));

/**
 * Tickets for single files, in their addresses: a link, and a viewer such as Foxglove, cannot send the token of
 * a user. Every process of a ground knows those of the others.
 */
export class FileTickets {
  readonly #secret: Buffer;
  readonly #clock: Clock;

  constructor(secret: Buffer, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /** With the key in the database, which the first process made. */
  static async open(
    database: Database,
    clock: Clock,
    random: (count: number) => Uint8Array,
  ): Promise<FileTickets> {
    const made = Buffer.from(random(32)).toString('hex');
    await database.query(
      "INSERT INTO secrets (name, secret) VALUES ('file tickets', $1) ON CONFLICT (name) DO NOTHING",
      [made],
    );
    const [row] = await database.query<{ secret: string }>(
      "SELECT secret FROM secrets WHERE name = 'file tickets'",
    );
    return new FileTickets(Buffer.from(row?.secret ?? made, 'hex'), clock);
  }

  give({ store, key }: TicketFile): { readonly ticket: string; readonly untilNs: bigint } {
    const untilNs = this.#clock.now() + VALID_S * NS_PER_S;
    const body = Buffer.from(JSON.stringify({ store, key, until: String(untilNs) })).toString('base64url');
    return { ticket: `${body}.${this.#sign(body).toString('base64url')}`, untilNs };
  }

  /** Undefined: it is not one of this ground, or it is no longer valid. */
  read(ticket: string): TicketFile | undefined {
    const [body = '', signature = ''] = ticket.slice(0, MAX_CHARS).split('.');
    const [given, right] = [Buffer.from(signature, 'base64url'), this.#sign(body)];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const found = tickets.parseIfValid(Buffer.from(body, 'base64url').toString('utf8'));
    return found !== undefined && BigInt(found.until) > this.#clock.now() ? found : undefined;
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#secret).update(body).digest();
  }
}
