import type { McapChannel } from '../../core/mcap/definitions.js';
import type { FieldRule } from '../../settings/field-rule.js';
import { fieldsOf, type NumberReader } from '../../uplink/robot/topic-fields.js';
import { FieldThinner } from './field-thinner.js';
import { formatLine, lineHead, type LineField } from './line-protocol.js';

/** Steps in which the interval of a rate is counted. */
const TICK_NS = 1_000_000;

/** Whose messages a channel has. */
export interface SeriesOwner {
  readonly robot: string;
  /** Empty: unknown. */
  readonly vin: string;
}

interface SeriesField {
  readonly path: string;
  readonly read: NumberReader;
  readonly thinner: FieldThinner;
}

/** Fields with one unit: they share the tags of their points. */
interface UnitGroup {
  readonly head: string;
  readonly fields: readonly SeriesField[];
}

/** Turns the messages of one channel of one segment into lines. */
export class PointSeries {
  readonly #groups: readonly UnitGroup[];
  readonly #decode: (payload: Uint8Array) => void;

  private constructor(groups: readonly UnitGroup[], decode: (payload: Uint8Array) => void) {
    this.#groups = groups;
    this.#decode = decode;
  }

  /**
   * Undefined: no rule chooses a number of it. Throws an Error that says why a channel that rules choose cannot be
   * decoded.
   */
  static open(
    { topic, encoding, schema, metadata }: McapChannel,
    rules: readonly FieldRule[],
    { robot, vin }: SeriesOwner,
  ): PointSeries | undefined {
    const channel = { robot, topic, encoding, schema, metadata, latched: false };
    const found = fieldsOf(channel, rules, TICK_NS);
    if (found === undefined || found.fields.length === 0) return undefined;
    const measurement = measurementOf(schema.name);
    const units = [...new Set(found.fields.map(({ spec }) => spec.unit))];
    const groups = units.map((unit) => ({
      head: lineHead({ measurement, tags: { robot, topic, unit, vin } }),
      fields: found.fields
        .filter(({ spec }) => spec.unit === unit)
        .map(({ spec, read }) => ({ path: spec.path, read, thinner: new FieldThinner(spec, TICK_NS) })),
    }));
    return new PointSeries(groups, (payload) => found.decode(payload));
  }

  /**
   * The lines of a message. Throws an Error with what cannot be decoded.
   *
   * @param timeNs - Its log time, nanoseconds since the Unix epoch.
   */
  linesOf(payload: Uint8Array, timeNs: bigint): string[] {
    this.#decode(payload);
    return this.#groups.flatMap(({ head, fields }) => {
      const chosen: LineField[] = [];
      for (const { path, read, thinner } of fields) {
        const value = read();
        if (thinner.take(timeNs, value)) chosen.push({ name: path, value });
      }
      return chosen.length === 0 ? [] : [formatLine(head, chosen, timeNs)];
    });
  }

  /** The last values of the segment, as far as they were not written. */
  lastLines(): string[] {
    return this.#groups.flatMap(({ head, fields }) =>
      fields.flatMap(({ path, thinner }) => {
        const last = thinner.end();
        return last ? [formatLine(head, [{ name: path, value: last.value }], last.timeNs)] : [];
      }),
    );
  }
}

/** `nav_msgs/msg/Odometry` is `nav_msgs_Odometry`: some servers take no slash in the name of a table. */
function measurementOf(type: string): string {
  return type
    .split('/')
    .filter((part) => part !== 'msg')
    .join('_');
}
