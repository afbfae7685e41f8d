import { isMap, isPair, isScalar, LineCounter, parseDocument, type Node, type YAMLMap } from 'yaml';
import type { ConfigFault } from './fault.js';
import { unixLines } from '../core/line-ends.js';
import { type Role } from './parameter.js';
import { isParameterName, parameterNames, parameterTable, type ParameterName } from './parameter-table.js';
import { suggest } from './suggest.js';

/**
 * Nodes of a file in ROS params-file form. The wildcard alone addresses both. With the wildcard before its
 * name, a node is addressed in any namespace; without it, ROS means the one without a namespace.
 */
const sections: Readonly<Record<string, Role | 'both'>> = {
  '/**': 'both',
  holdfast_recorder: 'recorder',
  '/holdfast_recorder': 'recorder',
  '/**/holdfast_recorder': 'recorder',
  holdfast_sync: 'sync',
  '/holdfast_sync': 'sync',
  '/**/holdfast_sync': 'sync',
};

/** A parameter of the file, not parsed yet. */
export interface FileEntry {
  readonly role: Role | 'both';
  readonly name: ParameterName;
  readonly raw: unknown;
  /** `holdfast.yaml:12`. */
  readonly where: string;
}

export interface ConfigFile {
  readonly entries: readonly FileEntry[];
  readonly faults: readonly ConfigFault[];
}

/** Reads a ROS params file; `name` appears in the faults. Never throws: everything wrong is a fault. */
export function readConfigFile(text: string, name: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(unixLines(text), { lineCounter: lines, prettyErrors: false });
  const where = (offset: number | undefined): string =>
    offset === undefined ? name : `${name}:${lines.linePos(offset).line}`;
  const syntax = document.errors.map((error) => ({
    where: where(error.pos[0]),
    path: '(YAML)',
    value: undefined,
    allowed: error.message,
  }));
  if (syntax.length > 0) return { entries: [], faults: syntax };
  const reader = new SectionReader((node) => where(node?.range?.[0]));
  if (document.contents !== null) reader.readRoot(document.contents);
  return { entries: reader.entries, faults: reader.faults };
}

class SectionReader {
  readonly entries: FileEntry[] = [];
  readonly faults: ConfigFault[] = [];

  readonly #where: (node: Node | null | undefined) => string;

  constructor(where: (node: Node | null | undefined) => string) {
    this.#where = where;
  }

  readRoot(node: Node): void {
    for (const [key, value, keyNode] of this.#pairs(node, '(file)')) {
      const role = Object.hasOwn(sections, key) ? sections[key] : undefined;
      if (role === undefined) {
        this.#unknown(key, keyNode, Object.keys(sections), 'section');
        continue;
      }
      for (const [inner, parameters, innerNode] of this.#pairs(value, key)) {
        if (inner === 'ros__parameters') this.#readParameters(role, parameters, '', key);
        else this.#unknown(`${key}.${inner}`, innerNode, [`${key}.ros__parameters`], 'key');
      }
    }
  }

  #readParameters(role: Role | 'both', node: Node | null, prefix: string, section: string): void {
    for (const [key, value, keyNode] of this.#pairs(node, `${section}.ros__parameters`)) {
      const name = prefix + key;
      if (isParameterName(name)) this.#readParameter(role, name, value, keyNode, section);
      else if (isMap(value)) this.#readParameters(role, value, `${name}.`, section);
      else this.#unknown(name, keyNode, parameterNames, 'parameter');
    }
  }

  #readParameter(
    role: Role | 'both',
    name: ParameterName,
    value: Node | null,
    keyNode: Node | null,
    section: string,
  ): void {
    const owner = parameterTable[name].role;
    const where = this.#where(value ?? keyNode);
    if (role !== 'both' && owner !== 'both' && owner !== role) {
      const allowed = `belongs to holdfast_${owner}, not to ${section}`;
      this.faults.push({ where, path: name, value: undefined, allowed });
      return;
    }
    this.entries.push({ role, name, raw: value === null ? null : value.toJSON(), where });
  }

  *#pairs(node: Node | null, path: string): Iterable<[string, Node | null, Node | null]> {
    if (!isMap(node)) {
      const value = node === null ? null : (node.toJSON() as unknown);
      this.faults.push({ where: this.#where(node), path, value, allowed: 'allowed: a mapping of names' });
      return;
    }
    for (const pair of (node as YAMLMap<unknown, Node | null>).items) {
      if (!isPair(pair)) continue;
      const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
      yield [key, pair.value, pair.key as Node | null];
    }
  }

  #unknown(path: string, node: Node | null, candidates: readonly string[], what: string): void {
    const meant = suggest(path, candidates);
    const hint =
      meant !== undefined
        ? `; did you mean ${meant}?`
        : candidates.length < 8
          ? `; allowed: ${candidates.join(', ')}`
          : '';
    this.faults.push({
      where: this.#where(node),
      path,
      value: undefined,
      allowed: `unknown ${what}${hint}`,
    });
  }
}
