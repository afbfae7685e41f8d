import {
  bytesLeftOver,
  cdrKindOf,
  leftOverReason,
  type CdrKind,
  type Layout,
} from '../../core/ros/cdr-kind.js';
import { toGrid } from '../../core/transform/rounding.js';
import { parseDefinition } from '../../core/ros/parse-definition.js';
import {
  parseTypeTree,
  primitiveBytes,
  type StructNode,
  type TypeNode,
} from '../../exporters/columns/type-tree.js';
import { isNumber, timeType, Xcdr2 } from '../../exporters/columns/xcdr2.js';
import { CdrBounds } from '../../recordings/cdr-bounds.js';
import { CdrOutput } from './cdr-output.js';
import type { FieldsPlan, Grid, Plan } from './field-plan.js';

/** The hash of a text, as text. */
export type HashText = (text: Uint8Array) => string;

const EMPTY_TEXT = Uint8Array.of(0);

/**
 * Writes CDR messages of one type again, with some fields changed, in the encoding that they have: XCDR1 or XCDR2,
 * either byte order, final, appendable or mutable. All other fields keep their bytes. The whole message is compared
 * with its definition before: with another definition, a change would hit another field.
 */
export class CdrRewriter {
  readonly type: StructNode;
  readonly #bounds: CdrBounds;
  readonly #xcdr2: Xcdr2;
  readonly #hash: HashText;

  /** Throws an Error if the definition cannot be parsed. */
  constructor(definition: string, name: string, hash: HashText) {
    this.type = parseTypeTree(definition, name);
    this.#bounds = new CdrBounds(parseDefinition(definition, name));
    this.#xcdr2 = new Xcdr2(this.type);
    this.#hash = hash;
  }

  /** Throws an Error with what does not fit the definition. */
  rewrite(payload: Uint8Array, plan: FieldsPlan): Uint8Array {
    const kind = cdrKindOf(payload);
    const nested = this.#nestedLayout(payload, kind);
    const out = new CdrOutput(payload, kind.littleEndian, kind.version === 2 ? 4 : 8);
    new Walk(out, kind, nested, this.#hash).struct(this.type, plan, kind.layout);
    return out.finish();
  }

  #nestedLayout(payload: Uint8Array, kind: CdrKind): Layout {
    if (kind.version === 2) {
      const { leftOver, nested } = this.#xcdr2.toPlain(payload, kind);
      if (leftOver > 0) throw new Error(leftOverReason(leftOver));
      return nested;
    }
    const leftOver = bytesLeftOver(payload, this.#bounds.check(payload, kind.littleEndian));
    if (leftOver > 0) throw new Error(leftOverReason(leftOver));
    return 'final';
  }
}

/** One message, which is known to fit its definition. */
class Walk {
  readonly #out: CdrOutput;
  readonly #isSized: boolean;
  readonly #nested: Layout;
  readonly #hash: HashText;

  constructor(out: CdrOutput, { version }: CdrKind, nested: Layout, hash: HashText) {
    this.#out = out;
    this.#isSized = version === 2;
    this.#nested = nested;
    this.#hash = hash;
  }

  struct(type: StructNode, plan: Plan | undefined, layout: Layout): void {
    const places = new Map<string, number>();
    const field = ({ name, node }: StructNode['fields'][number]): void => {
      this.#value(node, plan?.kind === 'fields' ? plan.fields.get(name) : plan);
      places.set(name, this.#out.to);
    };
    if (layout === 'mutable') {
      this.#sized(true, (bytes) => {
        for (const one of type.fields) this.#member(() => field(one));
        if (type.fields.length === 0) this.#out.move(bytes);
      });
    } else {
      this.#sized(this.#isSized && layout === 'delimited', () => {
        type.fields.forEach(field);
        // An empty message has one byte, because IDL has no empty struct.
        if (type.fields.length === 0) this.#out.move(1);
      });
    }
    if (plan?.kind === 'fields') for (const grid of plan.grids) this.#grid(type, grid, places);
  }

  #value(node: TypeNode, plan: Plan | undefined): void {
    if (node.kind === 'struct') this.struct(node, plan, this.#nested);
    else if (node.kind === 'list') this.#list(node, plan);
    else if (node.type === 'string') this.#text(plan);
    else if (isNumber(node.type)) this.#numbers(1, primitiveBytes[node.type], plan);
    else this.struct(timeType, plan, this.#nested);
  }

  #list({ element, length }: Extract<TypeNode, { kind: 'list' }>, plan: Plan | undefined): void {
    const isPlain = element.kind === 'primitive' && isNumber(element.type);
    this.#sized(this.#isSized && !isPlain, () => {
      const count = length ?? this.#out.u32();
      const start = this.#out.to;
      if (isPlain) this.#numbers(count, primitiveBytes[element.type], plan);
      else for (let i = 0; i < count; i++) this.#value(element, plan);
      if (plan?.kind !== 'drop' || length !== undefined) return;
      this.#out.setU32(start - 4, 0);
      this.#out.to = start;
    });
  }

  /** Without numbers there is no padding. */
  #numbers(count: number, size: number, plan: Plan | undefined): void {
    if (count === 0) return;
    this.#out.align(size);
    const start = this.#out.to;
    this.#out.move(count * size, plan?.kind === 'zero' || plan?.kind === 'drop');
    if (plan?.kind !== 'round') return;
    for (let at = start; at < this.#out.to; at += size) {
      this.#out.setFloat(at, size, plan.round(this.#out.float(at, size)));
    }
  }

  #text(plan: Plan | undefined): void {
    const out = this.#out;
    const length = out.u32();
    if (plan === undefined) {
      out.move(length);
      return;
    }
    const bytes = out.source.subarray(out.at, out.at + length);
    const text = bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes;
    const written = plan.kind === 'hash' ? Buffer.from(`${this.#hash(text)}\0`) : EMPTY_TEXT;
    out.setU32(out.to - 4, written.byteLength);
    out.at += length;
    out.put(written);
  }

  /** A part with its size before it. */
  #sized(hasSize: boolean, write: (bytes: number) => void): void {
    if (!hasSize) {
      write(0);
      return;
    }
    const bytes = this.#out.u32();
    const start = this.#out.to;
    write(bytes);
    this.#out.setU32(start - 4, this.#out.to - start);
  }

  /** EMHEADER1 and NEXTINT (DDS-XTypes 1.3, 7.4.3.4.2). From code 5 on, the length is the value's own. */
  #member(write: () => void): void {
    const code = (this.#out.u32() >>> 28) & 7;
    if (code === 4) {
      this.#sized(true, write);
      return;
    }
    const start = this.#out.to;
    write();
    const bytes =
      code < 4 ? 1 << code : 4 + this.#out.lengthAt(start) * (code === 5 ? 1 : code === 6 ? 4 : 8);
    if (this.#out.to - start !== bytes) throw new Error('a member whose size cannot change');
  }

  #grid(
    { fields }: StructNode,
    { latitude, longitude, metres }: Grid,
    ends: ReadonlyMap<string, number>,
  ): void {
    const place = (name: string): readonly [at: number, bytes: number] => {
      const node = fields.find((field) => field.name === name)?.node;
      const bytes = node?.kind === 'primitive' ? primitiveBytes[node.type] : 8;
      return [(ends.get(name) ?? 0) - bytes, bytes];
    };
    const [latitudeAt, longitudeAt] = [place(latitude), place(longitude)];
    const [row, column] = toGrid(this.#out.float(...latitudeAt), this.#out.float(...longitudeAt), metres);
    this.#out.setFloat(...latitudeAt, row);
    this.#out.setFloat(...longitudeAt, column);
  }
}
