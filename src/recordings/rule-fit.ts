import { describeError } from '../core/errors.js';
import { present } from '../core/present.js';
import type { FieldPath } from '../core/transform/field-path.js';
import type { Schema } from '../core/message.js';
import { pathsOf, type FieldChange, type TransformRule } from '../core/transform/rule.js';
import { holdsWide, parseTypeTree, type StructNode, type TypeNode } from '../exporters/columns/type-tree.js';

/**
 * Whether a change applies to a type. False: it names a field with `?` that the type lacks. Throws an Error with what
 * does not fit: a field that is not there could be a typing error, and then something would leave that must not.
 */
export function appliesTo(change: FieldChange, type: StructNode): boolean {
  const found = pathsOf(change).map((path) => fieldOf(path, type));
  if (found.includes(undefined)) return false;
  for (const [index, node] of found.entries())
    checkKind(change, present(pathsOf(change)[index]), present(node));
  return true;
}

/** Throws an Error if messages of this type cannot be written again. */
export function checkWritable(type: StructNode): void {
  if (holdsWide(type)) throw new Error('types with a wstring are not written again; allowed: drop the topic');
}

/** Why rules cannot be applied to CDR messages with a `ros2msg` schema; undefined: they can. */
export function ruleFault(rules: readonly TransformRule[], schema: Schema): string | undefined {
  const changes = rules.flatMap((rule) => rule.changes);
  if (changes.length === 0) return undefined;
  try {
    const type = parseTypeTree(new TextDecoder().decode(schema.data), schema.name);
    const applied = changes.filter((change) => appliesTo(change, type));
    if (applied.length > 0) checkWritable(type);
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function fieldOf({ names, optional }: FieldPath, type: StructNode): TypeNode | undefined {
  let at: TypeNode = type;
  for (const [depth, name] of names.entries()) {
    const struct = elementOf(at);
    const fields = struct.kind === 'struct' ? struct.fields : [];
    const found = fields.find((field) => field.name === name);
    if (found) {
      at = found.node;
      continue;
    }
    if (optional) return undefined;
    const has = fields.length === 0 ? 'no fields' : fields.map((field) => field.name).join(', ');
    throw new Error(`${names.slice(0, depth + 1).join('.')} is not a field; there are: ${has}`);
  }
  return at;
}

function checkKind({ kind }: FieldChange, { names }: FieldPath, node: TypeNode): void {
  const element = elementOf(node);
  const type = element.kind === 'primitive' ? element.type : 'a message';
  const name = names.join('.');
  if (kind === 'hash' && type !== 'string') throw new Error(`${name} is ${type}; hash allows: string`);
  if (kind === 'drop' || kind === 'zero' || kind === 'hash') return;
  if (type !== 'float32' && type !== 'float64') {
    throw new Error(`${name} is ${type}; round allows: float32, float64`);
  }
  if (kind === 'grid' && node.kind === 'list')
    throw new Error(`${name} is a list; a grid allows: one number`);
}

function elementOf(node: TypeNode): TypeNode {
  let at = node;
  while (at.kind === 'list') at = at.element;
  return at;
}
