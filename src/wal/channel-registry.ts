import { createHash } from 'node:crypto';
import { channelKey, type Channel, type Schema } from '../core/message.js';

/** Numbers channels and schemas, the same in every segment of one recorder's run. */
export class ChannelRegistry {
  readonly #byChannel = new Map<Channel, number>();
  readonly #byKey = new Map<string, number>();
  readonly #bySchema = new WeakMap<Schema, number>();
  readonly #bySchemaKey = new Map<string, number>();

  idOf(channel: Channel): number {
    const known = this.#byChannel.get(channel);
    if (known !== undefined) return known;
    const id = numbered(this.#byKey, channelKey(channel));
    this.#byChannel.set(channel, id);
    return id;
  }

  schemaIdOf(schema: Schema): number {
    const known = this.#bySchema.get(schema);
    if (known !== undefined) return known;
    const digest = createHash('sha256').update(schema.data).digest('hex');
    const id = numbered(this.#bySchemaKey, JSON.stringify([schema.name, schema.encoding, digest]));
    this.#bySchema.set(schema, id);
    return id;
  }

  /** Removes a channel object that no later message will refer to. */
  forget(channel: Channel): void {
    this.#byChannel.delete(channel);
  }
}

function numbered(ids: Map<string, number>, key: string): number {
  let id = ids.get(key);
  if (id === undefined) ids.set(key, (id = ids.size + 1));
  return id;
}
