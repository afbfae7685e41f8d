import type { Clock } from '../../core/clock.js';
import { text } from '../../core/documents/schema-parts.js';
import { SignedTickets } from '../../monitors/http/signed-tickets.js';
import type { Database } from '../database/database.js';

/** One object of a store that a ticket lets its holder read. */
export interface TicketFile {
  readonly store: string;
  readonly key: string;
}

/** Tickets for single files. Every process of a ground knows those of the others. */
export class FileTickets {
  readonly #tickets: SignedTickets<TicketFile>;

  constructor(secret: Buffer, clock: Clock) {
    this.#tickets = new SignedTickets<TicketFile>({ store: text, key: text }, secret, clock);
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
    return this.#tickets.give({ store, key });
  }

  /** Undefined: it is not one of this ground, or it is no longer valid. */
  read(ticket: string): TicketFile | undefined {
    return this.#tickets.read(ticket);
  }
}
