import type { Channel, Schema } from '../../core/message.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { fleetMessageSchema, linkMessageSchema, stateMessageSchema } from './v2v-schema.js';

const jsonSchema = (name: string, schema: object): Schema =>
  Object.freeze({ name, encoding: 'jsonschema', data: new TextEncoder().encode(JSON.stringify(schema)) });

const schemas = {
  state: jsonSchema('holdfast.V2vState', stateMessageSchema),
  fleet: jsonSchema('holdfast.V2vFleet', fleetMessageSchema),
  link: jsonSchema('holdfast.V2vLink', linkMessageSchema),
};

/** Names of topics after `/<vehicle>/v2v/`. */
export type V2vTopic = keyof typeof schemas;

/** The channels of all vehicles, each announced when it is first needed. */
export class V2vChannels {
  readonly #context: SourceContext;
  readonly #emit: (event: SourceEvent) => void;
  readonly #made = new Map<string, Channel>();
  readonly #wanted = new Map<string, boolean>();

  constructor(context: SourceContext, emit: (event: SourceEvent) => void) {
    this.#context = context;
    this.#emit = emit;
  }

  /** Undefined if it is not wanted. */
  of(vehicle: string, kind: V2vTopic): Channel | undefined {
    const topic = `/${vehicle}/v2v/${kind}`;
    const schema = schemas[kind];
    const known = this.#wanted.get(topic);
    const isWanted = known ?? this.#context.wanted(topic, schema.name);
    if (known === undefined) this.#wanted.set(topic, isWanted);
    return isWanted ? (this.#made.get(topic) ?? this.#make(topic, schema)) : undefined;
  }

  /** Every topic is judged again. */
  reconsider(): void {
    this.#wanted.clear();
  }

  #make(topic: string, schema: Schema): Channel {
    const channel = Object.freeze({
      ...{ robot: this.#context.robotOf(topic), topic, encoding: 'json', schema },
      ...{ metadata: Object.freeze({}), latched: false },
    });
    this.#made.set(topic, channel);
    this.#emit({ kind: 'channel', channel });
    return channel;
  }
}
