import { bytesLeftOver, cdrKindOf, withPlaceholder } from '../core/ros/cdr-kind.js';
import { parseDefinition } from '../core/ros/parse-definition.js';
import { parseTypeTree } from '../exporters/columns/type-tree.js';
import { Xcdr2 } from '../exporters/columns/xcdr2.js';
import { CdrBounds } from './cdr-bounds.js';
import type { MessageDefinition } from '@foxglove/message-definition';

/** A message whose length fits its definition. */
export interface MeasuredMessage {
  /** The message as plain CDR (XCDR1). */
  readonly plain: Uint8Array;
  /** Bytes after the message that are not padding. */
  readonly leftOver: number;
}

/** Walks CDR messages of one type along its definition, in XCDR1 and XCDR2. */
export class CdrExtent {
  /** Of the type and of the types of its fields, the type itself first. */
  readonly definitions: MessageDefinition[];
  /** Whether the type has a field of type wstring, which the walk does not support. */
  readonly hasWideText: boolean;
  readonly #bounds: CdrBounds;
  readonly #isEmpty: boolean;
  readonly #treeOf: () => ReturnType<typeof parseTypeTree>;
  #xcdr2: Xcdr2 | undefined;

  /** Throws an Error if the definition cannot be parsed. */
  constructor(definition: string, name: string) {
    this.definitions = parseDefinition(definition, name);
    this.hasWideText = this.definitions.some(({ definitions: fields }) =>
      fields.some(({ type }) => type === 'wstring'),
    );
    this.#bounds = new CdrBounds(this.definitions);
    this.#isEmpty = this.definitions[0]?.definitions.every(({ isConstant }) => isConstant === true) === true;
    this.#treeOf = () => parseTypeTree(definition, name);
  }

  /** Throws an Error with what does not fit, or if the layout is not decoded. */
  measure(payload: Uint8Array): MeasuredMessage {
    const kind = cdrKindOf(payload);
    const data = this.#isEmpty ? withPlaceholder(payload) : payload;
    if (kind.version === 2) {
      this.#xcdr2 ??= new Xcdr2(this.#treeOf());
      const { payload: plain, leftOver } = this.#xcdr2.toPlain(data, kind);
      return { plain, leftOver };
    }
    return { plain: data, leftOver: bytesLeftOver(data, this.#bounds.check(data, kind.littleEndian)) };
  }
}
