import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { ros2jazzy } from '@foxglove/rosmsg-msgs-common';
import { packageRoot } from '../../host/version.js';
import { typeSupportClass, type TypeSupportClass } from '../../sources/ros/type-support-class.js';
import { CdrEncoder, type Fields, type MessageDefinition } from './cdr-encoder.js';
import { present } from '../../core/present.js';

/**
 * A message type that is published as CDR bytes made here. So no JavaScript is generated for it, at install
 * or at run time, and none can be older than the .msg file.
 */
export class MessageType {
  readonly #encoder: CdrEncoder;

  private constructor(
    /** `holdfast/msg/SyncStatus`. */
    readonly name: string,
    readonly definitions: readonly MessageDefinition[],
  ) {
    this.#encoder = new CdrEncoder(definitions);
  }

  /** One of the project's own, read from msg/. */
  static own(name: string): MessageType {
    return new MessageType(`holdfast/msg/${name}`, ownDefinitions(name));
  }

  /** One of the common interfaces, such as `diagnostic_msgs/DiagnosticArray`. */
  static common(name: keyof typeof ros2jazzy): MessageType {
    const seen = new Set<string>();
    const collect = (one: keyof typeof ros2jazzy): MessageDefinition[] => {
      if (seen.has(one)) return [];
      seen.add(one);
      const definition = ros2jazzy[one];
      const parts = definition.definitions.filter((field) => field.isComplex === true);
      return [definition, ...parts.flatMap(({ type }) => collect(type as keyof typeof ros2jazzy))];
    };
    return new MessageType(name.replace('/', '/msg/'), collect(name));
  }

  encode(fields: Fields): Buffer {
    return this.#encoder.encode(fields);
  }

  /** The value of a constant of the message: `LINK_ONLINE`. Throws if it does not have this constant. */
  constant(name: string): number {
    const found = this.definitions[0]!.definitions.find(
      (one) => one.isConstant === true && one.name === name,
    );
    if (typeof found?.value !== 'number') throw new Error(`${this.name} has no constant ${name}`);
    return found.value;
  }

  /** For `createPublisher` of rclnodejs, which accepts its bytes as well as objects. */
  get typeSupportClass(): TypeSupportClass {
    return typeSupportClass(this.name);
  }
}

/** The definition of a message of msg/ and of its field types. */
function ownDefinitions(name: string): MessageDefinition[] {
  const texts = new Map<string, string>();
  const read = (one: string): void => {
    if (texts.has(one)) return;
    const text = readFileSync(join(packageRoot, 'msg', `${one}.msg`), 'utf8');
    texts.set(one, text);
    for (const [, part] of text.matchAll(/^([A-Z]\w*)(?:\[\])? \w+$/gm)) read(present(part));
  };
  read(name);
  const sections = [...texts].map(([one, text]) => (one === name ? text : `MSG: holdfast/${one}\n${text}`));
  return parse(sections.join(`\n${'='.repeat(80)}\n`), { ros2: true });
}
