import { join } from 'node:path';
import type { FileSystem } from '../../core/file-system.js';
import type { Schema } from '../../core/message.js';
import { actionPart, serviceEvent, type Part } from '../../core/ros/composed-types.js';

/** A definition with deeper nesting contains itself. */
const MAX_DEPTH = 50;
const RULE = '='.repeat(80);
const primitives = new Set(
  'bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 string'.split(' '),
);

class NotFound extends Error {}

/**
 * Type definitions from the ament index, in rosbag2's form: the text of the root, then of each dependency
 * after a line with its name, depth first in alphabetical order. Found ones are cached. A missing one is
 * searched again, because a package may be installed later.
 */
export class MessageDefinitions {
  readonly #schemas = new Map<string, Schema>();

  readonly #fs: Pick<FileSystem, 'readFile'>;
  /** Install prefixes, overlays first. */
  readonly #prefixes: readonly string[];

  constructor(fs: Pick<FileSystem, 'readFile'>, prefixes: readonly string[]) {
    this.#fs = fs;
    this.#prefixes = prefixes;
  }

  /**
   * The schema of `pkg/msg/Type`, `pkg/srv/Type_Event` or `pkg/action/Type_...`; undefined: not defined
   * anywhere.
   */
  async schemaOf(type: string): Promise<Schema | undefined> {
    const known = this.#schemas.get(type);
    if (known !== undefined) return known;
    const found =
      (await this.#attempt(type, 'ros2msg', () => this.#messageText(type))) ??
      (await this.#attempt(type, 'ros2idl', () => this.#idlText(type)));
    if (found !== undefined) this.#schemas.set(type, found);
    return found;
  }

  async #attempt(name: string, encoding: string, read: () => Promise<string>): Promise<Schema | undefined> {
    try {
      return Object.freeze({ name, encoding, data: Buffer.from(await read(), 'utf8') });
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  async #messageText(type: string): Promise<string> {
    const [pkg = '', kind = '', name = ''] = type.split('/');
    if (kind === 'msg') return this.#withDependencies(await this.#file(pkg, 'msg', `${name}.msg`), pkg, []);
    const parts = await this.#composedParts(pkg, kind, name);
    const root = parts.get(name);
    if (root === undefined) throw new NotFound(type);
    return this.#withDependencies(root, pkg, [], parts);
  }

  async #composedParts(pkg: string, kind: string, name: string): Promise<ReadonlyMap<string, Part>> {
    if (kind === 'srv') {
      const service = /^(.+)_Event$/.exec(name)?.[1];
      if (service === undefined) throw new NotFound(name);
      return serviceEvent(pkg, service, await this.#file(pkg, 'srv', `${service}.srv`));
    }
    const action = /^(.+?)_(FeedbackMessage|SendGoal_Event|GetResult_Event)$/.exec(name)?.[1];
    if (kind !== 'action' || action === undefined) throw new NotFound(name);
    return actionPart(pkg, action, await this.#file(pkg, 'action', `${action}.action`));
  }

  /** `parts` are types of this package that have no file of their own. */
  async #withDependencies(
    text: string,
    pkg: string,
    seen: string[],
    parts: ReadonlyMap<string, Part> = new Map(),
    depth = MAX_DEPTH,
  ): Promise<string> {
    if (depth === 0) throw new NotFound('definition contains itself');
    let result = text;
    for (const dependency of messageDependencies(text, pkg)) {
      if (seen.includes(dependency)) continue;
      seen.push(dependency);
      const [owner, name] = splitName(dependency);
      const own = owner === pkg ? parts.get(name) : undefined;
      const inner = own ?? (await this.#file(owner, 'msg', `${name}.msg`));
      result += `\n${RULE}\nMSG: ${dependency}\n`;
      result += await this.#withDependencies(inner, owner, seen, parts, depth - 1);
    }
    return result;
  }

  async #idlText(type: string, seen: string[] = [], depth = MAX_DEPTH): Promise<string> {
    if (depth === 0) throw new NotFound('definition contains itself');
    const isRoot = seen.length === 0;
    if (isRoot) seen.push(type);
    const [pkg, name, kind] = splitName(type);
    const text = await this.#file(pkg, kind, `${name}.idl`);
    let result = isRoot ? `${RULE}\nIDL: ${type}\n${text}` : text;
    for (const dependency of idlDependencies(text)) {
      if (seen.includes(dependency)) continue;
      seen.push(dependency);
      result += `\n${RULE}\nIDL: ${dependency}\n${await this.#idlText(dependency, seen, depth - 1)}`;
    }
    return result;
  }

  async #file(pkg: string, kind: string, name: string): Promise<string> {
    // A name from the network must not lead out of the index.
    if (!/^[A-Za-z0-9_]+$/.test(pkg) || !/^[A-Za-z0-9_.]+$/.test(name)) throw new NotFound(`${pkg}/${name}`);
    for (const prefix of this.#prefixes) {
      try {
        return await this.#fs.readFile(join(prefix, 'share', pkg, kind, name), 'utf8');
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
      }
    }
    throw new NotFound(`${pkg}/${kind}/${name}`);
  }
}

/** `pkg/Type` and `pkg/msg/Type` as [pkg, Type, kind]. */
function splitName(name: string): [string, string, string] {
  const parts = name.split('/');
  return [parts[0] ?? '', parts.at(-1) ?? '', parts.length === 3 ? parts[1]! : 'msg'];
}

/** Types of the fields, sorted; those without a package belong to `pkg`. */
export function messageDependencies(text: string, pkg: string): readonly string[] {
  const found = new Set<string>();
  for (const [, type = ''] of text.matchAll(/(?:^|\n)\s*([a-zA-Z0-9_/]+)(?:\[[^\]]*\])?\s+/g)) {
    if (!primitives.has(type)) found.add(type.includes('/') ? type : `${pkg}/${type}`);
  }
  return [...found].sort();
}

function idlDependencies(text: string): readonly string[] {
  const includes = text.matchAll(/(?:^|\n)#include\s+(?:"|<)([a-zA-Z0-9_/]+)\.idl(?:"|>)/g);
  return [...new Set([...includes].map(([, name = '']) => name))].sort();
}
