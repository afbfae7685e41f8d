import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SchemaObject } from 'ajv';
import { NS_PER_S, type Clock } from '../../core/clock.js';
import { documentKind, type DocumentKind } from '../../core/documents/document.js';
import { object, time } from '../../core/documents/schema-parts.js';

/** The end of a ticket, nanoseconds since the Unix epoch. */
interface Ending {
  readonly until: string;
}

/** A viewer that has a file open reads from it for hours. */
const VALID_S = 12n * 3_600n;
/** A longer one is not one of ours. */
const MAX_CHARS = 16_384;

/** Tickets for an address: a link, and a viewer such as Foxglove, cannot send the token of a user. */
export class SignedTickets<Content extends object> {
  readonly #kind: DocumentKind<Content & Ending>;
  readonly #secret: Buffer;
  readonly #clock: Clock;

  /**
   * @param members of what a ticket is for, all of them required
   * @param secret any process that has it accepts and makes tickets
   */
  constructor(
    members: Readonly<Record<keyof Content & string, SchemaObject>>,
    secret: Uint8Array,
    clock: Clock,
  ) {
    this.#kind = documentKind('ticket', object({ ...members, until: time }));
    this.#secret = Buffer.from(secret);
    this.#clock = clock;
  }

  give(content: Content): { readonly ticket: string; readonly untilNs: bigint } {
    const untilNs = this.#clock.now() + VALID_S * NS_PER_S;
    const body = Buffer.from(JSON.stringify({ ...content, until: String(untilNs) })).toString('base64url');
    return { ticket: `${body}.${this.#sign(body).toString('base64url')}`, untilNs };
  }

  /** Undefined: it is not one of this secret, or it is no longer valid. */
  read(ticket: string): Content | undefined {
    const [body = '', signature = ''] = ticket.slice(0, MAX_CHARS).split('.');
    const [given, right] = [Buffer.from(signature, 'base64url'), this.#sign(body)];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const found = this.#kind.parseIfValid(Buffer.from(body, 'base64url').toString('utf8'));
    return found !== undefined && BigInt(found.until) > this.#clock.now() ? found : undefined;
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#secret).update(body).digest();
  }
}
