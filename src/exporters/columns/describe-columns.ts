import type { Column, StructColumn } from './column.js';
import { headNames } from './head-columns.js';

const passedOver: ReadonlySet<string> = new Set([...headNames, 'payload', 'problem']);

/** Path and type of each column of a message; `[]` stands for the elements of a list. */
export function describeColumns({ fields }: StructColumn): [string, string][] {
  const found: [string, string][] = [];
  const visit = (column: Column, path: string): void => {
    if (column.kind === 'leaf') found.push([path, column.type]);
    else if (column.kind === 'list') visit(column.element, `${path}[]`);
    else if (column.fields.length === 0) found.push([path, 'empty']);
    else for (const field of column.fields) visit(field.column, `${path}.${field.name}`);
  };
  for (const { name, column } of fields) if (!passedOver.has(name)) visit(column, name);
  return found;
}
