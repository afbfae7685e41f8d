import type { GenericEvent } from '../../core/generic-event.js';
import type { StructColumn } from '../columns/column.js';
import type { EventPayloads } from '../columns/event-columns.js';
import { uniteWidened } from '../columns/put-value.js';
import { claimOf, type DescriptorName } from './descriptor-name.js';
import type { PayloadDecoder } from './payload-decoder.js';

/** A descriptor that was read. */
export interface Descriptor {
  readonly name: DescriptorName;
  /** Name of its file. */
  readonly file: string;
  /** SHA-256 of the file, lower-case hex. */
  readonly sha256: string;
  readonly decoder: PayloadDecoder;
}

const VERSIONS_SHOWN = 10;

/** The column of a type's payloads. */
export function payloadColumn(type: string): string {
  return `payload_${type}`;
}

/** The descriptors of a folder. */
export class PayloadCatalogue {
  readonly #byType = new Map<string, Descriptor[]>();

  /** @param descriptors all of a folder */
  constructor(readonly descriptors: readonly Descriptor[]) {
    for (const one of descriptors) {
      const key = keyOf(one.name);
      const known = this.#byType.get(key);
      if (known) known.push(one);
      else this.#byType.set(key, [one]);
    }
  }

  /**
   * The descriptor of an event's payload, or the reason why it has none; undefined: its format is not
   * decoded. If the event names a version, that version must exist. Otherwise it is the descriptor without a
   * version, or the only one.
   */
  choose({ eventTypeKey, payloadFormatHint }: GenericEvent): Descriptor | string | undefined {
    const claim = claimOf(eventTypeKey, payloadFormatHint);
    if (claim === undefined) return undefined;
    const versions = this.#byType.get(keyOf(claim)) ?? [];
    const what = `${claim.format} descriptor of ${claim.type}`;
    if (versions.length === 0) return `there is no ${what}`;
    const found = versions.find(({ name }) => name.version === claim.version);
    if (found !== undefined) return found;
    if (claim.version === '' && versions.length === 1) return versions[0]!;
    const known = versions.map(({ name }) => name.version || 'without version').slice(0, VERSIONS_SHOWN);
    return claim.version === ''
      ? `it names no version, and there are ${versions.length} of the ${what}: ${known.join(', ')}`
      : `there is no version ${claim.version} of the ${what}, there is: ${known.join(', ')}`;
  }

  /** Columns for the descriptors in use; several versions of a type share one. */
  columnsOf(used: Iterable<Descriptor>): EventPayloads {
    const shapes = new Map<string, StructColumn>();
    for (const { name, decoder } of [...used].sort((a, b) => (a.file < b.file ? -1 : 1))) {
      const column = payloadColumn(name.type);
      const known = shapes.get(column);
      shapes.set(column, known ? uniteWidened(known, decoder.columns) : decoder.columns);
    }
    const columns = [...shapes]
      .map(([name, column]) => ({ name, column: { ...column, optional: true } }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      columns,
      decode: (event) => {
        const chosen = this.choose(event);
        if (chosen === undefined || typeof chosen === 'string') return chosen;
        const { name, decoder, file } = chosen;
        try {
          const cells = decoder.decode(event.eventPayload);
          return { column: payloadColumn(name.type), own: decoder.columns, ...cells };
        } catch (error) {
          return `${file} does not fit: ${error instanceof Error ? error.message : String(error)}`;
        }
      },
    };
  }
}

function keyOf({ type, format }: Pick<DescriptorName, 'type' | 'format'>): string {
  return JSON.stringify([format, type]);
}
