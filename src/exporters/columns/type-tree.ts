import { parse } from '@foxglove/rosmsg';

/** What a ROS 2 field can hold; `byte` and `char` are `uint8`. */
export const primitives = [
  'bool',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'string',
  'wstring',
  'time',
  'duration',
] as const;
export type Primitive = (typeof primitives)[number];

/** The shape of a message, every type name resolved. */
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

/** Nesting of types that is followed; a definition that contains itself has no end. */
const MAX_DEPTH = 64;
/** Fields of a message, those of nested types counted each time; a definition of a few lines can multiply. */
const MAX_FIELDS = 20_000;
/** Longer definitions are not parsed. */
const MAX_DEFINITION_BYTES = 16 * 1024 * 1024;

type Definition = ReturnType<typeof parse>[number];
type DefinitionField = Definition['definitions'][number];

const known: ReadonlySet<string> = new Set(primitives);

/** Parses a `ros2msg` definition. Throws an Error that says what is wrong with it. */
export function parseTypeTree(definition: string): StructNode {
  if (definition.length > MAX_DEFINITION_BYTES) throw new Error('the definition is too long');
  const definitions = parse(definition, { ros2: true });
  const root = definitions.find(({ definitions: fields }) => !isConstantsOnly(fields)) ?? definitions[0];
  if (root === undefined) throw new Error('the definition holds no message');
  const types = new Map(definitions.map((one) => [one.name ?? '', one.definitions]));
  let fields = 0;
  const struct = (list: readonly DefinitionField[], depth: number): StructNode => {
    if (depth > MAX_DEPTH) throw new Error(`types nested deeper than ${MAX_DEPTH}`);
    const own = list.filter((field) => field.isConstant !== true);
    if ((fields += own.length) > MAX_FIELDS) throw new Error(`more than ${MAX_FIELDS} fields`);
    return {
      kind: 'struct',
      fields: own.map((field) => {
        const element = elementOf(field, depth);
        if (field.isArray !== true) return { name: field.name, node: element };
        const { arrayLength: length } = field;
        return {
          name: field.name,
          node: { kind: 'list' as const, element, ...(length === undefined ? {} : { length }) },
        };
      }),
    };
  };
  const elementOf = (field: DefinitionField, depth: number): TypeNode => {
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

function isConstantsOnly(fields: readonly DefinitionField[]): boolean {
  return fields.length > 0 && fields.every((field) => field.isConstant === true);
}

/** The fewest bytes a value takes in CDR; what a length announces can be checked against it. */
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

/** Size of each primitive in CDR, of a string that of its length. */
export const primitiveBytes: Readonly<Record<Primitive, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
  string: 4,
  wstring: 4,
  time: 8,
  duration: 8,
};
