import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type YAMLMap,
} from 'yaml';
import { unixLines } from '../../core/line-ends.js';
import { present } from '../../core/present.js';
import type { ConfigFault } from '../../settings/fault.js';
import { suggest } from '../../settings/suggest.js';
import type { CheckRule } from './check-rule.js';
import { checkNames, kindOf, type CheckKind, type Setting } from './rule-settings.js';

/** The rules of one file, and all its faults. */
export interface ParsedRules {
  readonly rules: readonly CheckRule[];
  readonly faults: readonly ConfigFault[];
}

export const RULES_VERSION = 1;
const MAX_RULES = 1000;
const scopeKeys = {
  robots: 'robots',
  topics: 'topics',
  except_topics: 'exceptTopics',
  types: 'types',
} as const;
const ruleKeys = ['name', 'check', 'severity', ...Object.keys(scopeKeys)];
const names: Setting = { type: 'names' };

/**
 * Reads a file of rules; `name` appears in the faults. With `extends: default` the rules are added to `base`,
 * where one of the same name replaces the other, and `disable` removes rules of `base`. Never throws:
 * everything wrong is a fault.
 */
export function parseRules(text: string, name: string, base: readonly CheckRule[] = []): ParsedRules {
  const lines = new LineCounter();
  const document = parseDocument(unixLines(text), { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ pos, message }) => ({
      where: `${name}:${lines.linePos(pos[0]).line}`,
      path: '(YAML)',
      value: undefined,
      allowed: message,
    }));
    return { rules: [], faults };
  }
  const reader = new RulesReader(document, (node) => {
    const offset = node?.range?.[0];
    return offset === undefined ? name : `${name}:${lines.linePos(offset).line}`;
  });
  const rules = reader.read(document.contents, base);
  return { rules, faults: reader.faults };
}

class RulesReader {
  readonly faults: ConfigFault[] = [];

  readonly #document: Document;
  readonly #where: (node: Node | null | undefined) => string;

  constructor(document: Document, where: (node: Node | null | undefined) => string) {
    this.#document = document;
    this.#where = where;
  }

  read(root: Node | null, base: readonly CheckRule[]): CheckRule[] {
    if (!isMap(root)) {
      this.#fault(root, '(file)', this.#plain(root), 'a mapping with version and rules');
      return [];
    }
    const entries = this.#entries(root, '', ['version', 'extends', 'disable', 'rules']);
    const version = this.#plain(entries.get('version') ?? null);
    if (version !== RULES_VERSION)
      this.#fault(entries.get('version') ?? root, 'version', version, String(RULES_VERSION));
    const parent = entries.get('extends');
    if (parent && this.#plain(parent) !== 'default')
      this.#fault(parent, 'extends', this.#plain(parent), 'default');
    const kept = new Map(parent ? base.map((rule) => [rule.name, rule]) : []);
    this.#disable(entries.get('disable'), kept);
    const list = entries.get('rules');
    if (list === undefined && parent) return [...kept.values()];
    if (!isSeq(list) || list.items.length > MAX_RULES) {
      this.#fault(list ?? root, 'rules', this.#plain(list ?? null), `a list of up to ${MAX_RULES} rules`);
      return [];
    }
    const own = new Set<string>();
    list.items.forEach((item, index) => {
      const rule = this.#rule(item as Node, `rules[${index}]`);
      if (rule === undefined) return;
      if (own.has(rule.name)) {
        this.#fault(item as Node, `rules[${index}].name`, rule.name, 'a name no other rule of the file has');
      }
      own.add(rule.name);
      kept.set(rule.name, rule);
    });
    return [...kept.values()];
  }

  #disable(node: Node | undefined, kept: Map<string, CheckRule>): void {
    if (node === undefined) return;
    for (const name of (this.#value(node, 'disable', names) ?? []) as readonly string[]) {
      if (kept.delete(name)) continue;
      this.#fault(
        node,
        'disable',
        name,
        `names of default rules, with extends: default: ${[...kept.keys()].join(', ')}`,
      );
    }
  }

  #rule(node: Node | null, path: string): CheckRule | undefined {
    const before = this.faults.length;
    if (!isMap(node)) {
      this.#fault(node, path, this.#plain(node), 'a mapping with name and check');
      return undefined;
    }
    const checkNode = node.get('check', true) as Node | undefined;
    const check = checkNames.find((one) => one === this.#plain(checkNode ?? null));
    if (check === undefined) {
      this.#fault(checkNode ?? node, `${path}.check`, this.#plain(checkNode ?? null), checkNames.join(', '));
    }
    const { settings } = check === undefined ? { settings: {} } : kindOf(check);
    const entries = this.#entries(node, path, check && [...ruleKeys, ...Object.keys(settings)]);
    const name = this.#plain(entries.get('name') ?? null);
    if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
      this.#fault(entries.get('name') ?? node, `${path}.name`, name, '1 to 64 letters, digits, _ . -');
    }
    const severity = entries.has('severity') ? this.#plain(present(entries.get('severity'))) : 'error';
    if (severity !== 'error' && severity !== 'warn') {
      this.#fault(entries.get('severity'), `${path}.severity`, severity, 'error, warn');
    }
    const scope: Record<string, unknown> = {};
    for (const [key, property] of Object.entries(scopeKeys)) {
      const value = entries.get(key);
      if (value) scope[property] = this.#value(value, `${path}.${key}`, names);
    }
    const read = check === undefined ? {} : this.#settings(check, node, entries, path);
    if (this.faults.length > before) return undefined;
    return { name, check, severity, scope, settings: read } as CheckRule;
  }

  #settings(
    check: CheckKind,
    rule: Node,
    entries: ReadonlyMap<string, Node>,
    path: string,
  ): Record<string, unknown> {
    const { settings, oneOf = [] } = kindOf(check);
    const read: Record<string, unknown> = {};
    for (const [key, setting] of Object.entries(settings)) {
      const node = entries.get(key);
      const value = node === undefined ? setting.default : this.#value(node, `${path}.${key}`, setting);
      if (value !== undefined) read[key] = value;
      else if (node === undefined && setting.required) {
        this.#fault(rule, `${path}.${key}`, undefined, `${allowed(setting)}; ${check} needs it`);
      }
    }
    if (oneOf.length > 0 && !oneOf.some((key) => entries.has(key))) {
      this.#fault(rule, path, undefined, `${oneOf.join(' or ')} (or both) with ${check}`);
    }
    return read;
  }

  #value(node: Node, path: string, setting: Setting): unknown {
    const value = this.#plain(node);
    const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
    const { min = -Infinity, max = Infinity, of } = setting;
    const isRight =
      setting.type === 'number'
        ? typeof value === 'number' && value >= min && value <= max
        : setting.type === 'yes-no'
          ? typeof value === 'boolean'
          : texts.every((text) => typeof text === 'string' && text !== '' && (of?.includes(text) ?? true));
    if (isRight) return setting.type === 'names' ? texts : value;
    this.#fault(node, path, value, allowed(setting));
    return undefined;
  }

  /** The content of a mapping; unknown keys are faults if there is a list of known ones. */
  #entries(node: YAMLMap, path: string, known: readonly string[] | undefined): Map<string, Node> {
    const found = new Map<string, Node>();
    for (const { key, value } of node.items) {
      const word = isScalar(key) ? String(key.value) : String(key);
      if (known === undefined || known.includes(word)) {
        if (value) found.set(word, value as Node);
        continue;
      }
      const meant = suggest(word, known);
      this.faults.push({
        where: this.#where(key as Node),
        path: path === '' ? word : `${path}.${word}`,
        value: undefined,
        allowed: `unknown key; ${meant === undefined ? `allowed: ${known.join(', ')}` : `did you mean ${meant}?`}`,
      });
    }
    return found;
  }

  #plain(node: Node | null): unknown {
    return node === null ? undefined : (node.toJS(this.#document) as unknown);
  }

  #fault(node: Node | null | undefined, path: string, value: unknown, text: string): void {
    this.faults.push({ where: this.#where(node), path, value, allowed: `allowed: ${text}` });
  }
}

function allowed({ type, min, max, of }: Setting): string {
  if (type === 'yes-no') return 'true or false';
  if (type === 'names') return of === undefined ? 'a name or a list of names' : of.join(', ');
  return min === -Number.MAX_VALUE ? 'a number' : `a number from ${min} to ${max}`;
}
