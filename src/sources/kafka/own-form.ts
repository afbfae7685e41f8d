import type { Schema } from '../../core/message.js';
import { present } from '../../core/present.js';
import { kafkaHeaders as names, MESSAGE_KIND, SCHEMA_KIND, schemaIdOf } from '../../kafka/message-form.js';
import type { FetchedRecord } from './fetched-records.js';

/** A message in form 1 of docs/kafka.md. */
export interface OwnMessage {
  readonly kind: 'message';
  readonly robot: string;
  readonly vin: string | undefined;
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  readonly schemaId: string;
  /** Nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
  readonly publishTime: bigint;
}

/** A definition in this form. */
export interface OwnDefinition {
  readonly kind: 'definition';
  readonly schemaId: string;
  readonly schema: Schema;
}

/** What a record is: `foreign` if Kafka got it from something else than Holdfast. */
export type RecordForm =
  | { readonly kind: 'foreign' }
  | OwnMessage
  | OwnDefinition
  | { readonly kind: 'fault'; readonly reason: string };

const KIND = Buffer.from(names.kind);
const MAX_NAME_CHARACTERS = 200;
/** The one that was seen longest ago is forgotten first; each batch has the definitions of its messages. */
const MAX_DEFINITIONS = 1_000;
const MAX_TIME = 2n ** 63n - 1n;
const FOREIGN = { kind: 'foreign' } as const;

export function formOf(record: FetchedRecord): RecordForm {
  if (!record.headers.some(([name]) => name.equals(KIND))) return FOREIGN;
  const headers = new Map(record.headers.map(([name, value]) => [name.toString(), value.toString()]));
  const kind = headers.get(names.kind) ?? '';
  if (kind === MESSAGE_KIND) return messageOf(headers);
  if (kind === SCHEMA_KIND) return definitionOf(headers, record.value);
  return {
    kind: 'fault',
    reason: `header ${names.kind} is "${kind.slice(0, 40)}", not ${MESSAGE_KIND} or ${SCHEMA_KIND}`,
  };
}

function messageOf(headers: ReadonlyMap<string, string>): RecordForm {
  const text = (name: string): string => headers.get(name) ?? '';
  for (const name of [names.robot, names.topic, names.encoding]) {
    if (text(name) === '') return { kind: 'fault', reason: `header ${name} is missing` };
  }
  if (text(names.robot).length > MAX_NAME_CHARACTERS)
    return { kind: 'fault', reason: `header ${names.robot} has more than ${MAX_NAME_CHARACTERS} characters` };
  const [logTime, publishTime] = [timeOf(text(names.logTime)), timeOf(text(names.publishTime))];
  if (logTime === undefined || publishTime === undefined) {
    const name = logTime === undefined ? names.logTime : names.publishTime;
    return { kind: 'fault', reason: `header ${name} is "${text(name).slice(0, 40)}", not nanoseconds` };
  }
  return {
    kind: 'message',
    robot: text(names.robot),
    vin: headers.get(names.vin),
    topic: text(names.topic),
    type: text(names.type),
    encoding: text(names.encoding),
    schemaId: text(names.schemaId),
    ...{ logTime, publishTime },
  };
}

function timeOf(text: string): bigint | undefined {
  const time = /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
  return time !== undefined && time <= MAX_TIME ? time : undefined;
}

function definitionOf(headers: ReadonlyMap<string, string>, value: Buffer): RecordForm {
  const name = headers.get(names.type) ?? '';
  const encoding = headers.get(names.schemaEncoding) ?? '';
  const schemaId = headers.get(names.schemaId) ?? '';
  const schema = { name, encoding, data: Uint8Array.from(value) };
  if (schemaIdOf(schema) !== schemaId) {
    return {
      kind: 'fault',
      reason: `header ${names.schemaId} is not the digest of the definition of ${name}`,
    };
  }
  return { kind: 'definition', schemaId, schema: Object.freeze(schema) };
}

/** The latest definitions by their id. */
export class Definitions {
  readonly #schemas = new Map<string, Schema>();

  add({ schemaId, schema }: OwnDefinition): void {
    this.#schemas.delete(schemaId);
    this.#schemas.set(schemaId, schema);
    if (this.#schemas.size > MAX_DEFINITIONS)
      this.#schemas.delete(present(this.#schemas.keys().next().value));
  }

  get(schemaId: string): Schema | undefined {
    return this.#schemas.get(schemaId);
  }
}
