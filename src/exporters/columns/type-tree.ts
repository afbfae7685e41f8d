import type { MessageDefinitionField } from '@foxglove/message-definition';
import { defined } from '../../core/defined.js';
import { numberBytes, type NumberType } from '../../core/ros/number-types.js';
import { parseDefinition } from '../../core/ros/parse-definition.js';

/** What a ROS 2 field can hold; `byte` and `char` are `uint8`. */
export type Primitive = NumberType | 'string' | 'wstring' | 'time' | 'duration';

/** Size of each primitive in CDR; for a string, the size of its length. */
export const primitiveBytes: Readonly<Record<Primitive, number>> = {
  ...numberBytes,
  string: 4,
  wstring: 4,
  time: 8,
  duration: 8,
};

/** The fields of a message, with every type name resolved. */
export type TypeNode =
  | { readonly kind: 'primitive'; readonly type: Primitive }
  | { readonly kind: 'struct'; readonly fields: readonly TypeField[] }
  /** `length`: of a fixed array; absent: a sequence, bounded or not. */
  | { readonly kind: 'list'; readonly element: TypeNode; readonly length?: number };

export type StructNode = Extract<TypeNode, { kind: 'struct' }>;

export interface TypeField {
  readonly name: string;
  readonly node: TypeNode;
}

/** Maximum nesting of types; a definition that contains itself has no end. */
const MAX_DEPTH = 64;
/**
 * Maximum number of fields of a message, counting those of nested types each time; a short definition can
 * multiply them.
 */
const MAX_FIELDS = 20_000;
export const primitives = Object.keys(primitiveBytes) as readonly Primitive[];
const known: ReadonlySet<string> = new Set(primitives);

/** Parses a `ros2msg` definition of the schema `schemaName`. Throws an Error with what is wrong with it. */
export function parseTypeTree(definition: string, schemaName: string): StructNode {
  const definitions = parseDefinition(definition, schemaName);
  const [root] = definitions;
  if (root === undefined) throw new Error('the definition holds no message');
  const types = new Map(definitions.map((one) => [one.name ?? '', one.definitions]));
  let fields = 0;
  const struct = (list: readonly MessageDefinitionField[], depth: number): StructNode => {
    if (depth > MAX_DEPTH) throw new Error(`types nested deeper than ${MAX_DEPTH}`);
    if ((fields += list.length) > MAX_FIELDS) throw new Error(`more than ${MAX_FIELDS} fields`);
    return {
      kind: 'struct',
      fields: list.map((field) => {
        const element = elementOf(field, depth);
        if (field.isArray !== true) return { name: field.name, node: element };
        const { arrayLength: length } = field;
        return {
          name: field.name,
          node: { kind: 'list' as const, element, ...defined({ length }) },
        };
      }),
    };
  };
  const elementOf = (field: MessageDefinitionField, depth: number): TypeNode => {
    if (field.isComplex === true) {
      const type = types.get(field.type);
      if (type === undefined) throw new Error(`type ${field.type} of field ${field.name} is not defined`);
      return struct(type, depth + 1);
    }
    if (!known.has(field.type)) throw new Error(`type ${field.type} of field ${field.name} is not known`);
    return { kind: 'primitive', type: field.type as Primitive };
  };
  return struct(root.definitions, 0);
}

/** The minimum number of bytes of a value in CDR; a stated length can be checked with it. */
export function minimumBytes(node: TypeNode): number {
  switch (node.kind) {
    case 'struct': {
      let sum = 0;
      for (const field of node.fields) sum += minimumBytes(field.node);
      return Math.max(1, sum);
    }
    case 'list':
      return node.length === undefined ? 4 : node.length * minimumBytes(node.element);
    case 'primitive':
      return primitiveBytes[node.type];
  }
}

/** Whether a value of this type holds a `wstring`. */
export function holdsWide(node: TypeNode): boolean {
  if (node.kind === 'primitive') return node.type === 'wstring';
  return node.kind === 'list' ? holdsWide(node.element) : node.fields.some((field) => holdsWide(field.node));
}
