import { jsonText } from '../../core/json-message.js';
import { present } from '../../core/present.js';
import { toGrid } from '../../core/transform/rounding.js';
import type { HashText } from './cdr-rewriter.js';
import type { FieldsPlan, Grid, Plan } from './field-plan.js';
import { JsonScanner, withEdits, type Edit, type Member } from './json-scanner.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A JSON message with some fields changed; everything else keeps its bytes. Members that are repeated are all changed,
 * also if their names are written with escapes. A member that is not there passes, because JSON messages have no
 * definition. Throws an Error if the payload is not JSON, or if a field holds what the change does not allow.
 */
export function rewriteJson(payload: Uint8Array, plan: FieldsPlan, hash: HashText): Uint8Array {
  checkJson(payload);
  const text = utf8.decode(payload);
  const editor = new JsonEditor(text, hash);
  editor.run(plan);
  return editor.edits.length === 0 ? payload : new TextEncoder().encode(withEdits(text, editor.edits));
}

/** The parser's own error would quote the message, and an error goes into logs. */
function checkJson(payload: Uint8Array): void {
  try {
    jsonText(payload);
  } catch {
    throw new Error('a message is not JSON');
  }
}

class JsonEditor {
  readonly edits: Edit[] = [];
  readonly #scanner: JsonScanner;
  readonly #hash: HashText;

  constructor(text: string, hash: HashText) {
    this.#scanner = new JsonScanner(text);
    // JSON may begin with a byte order mark, which is not white space.
    if (text.startsWith('\uFEFF')) this.#scanner.at = 1;
    this.#hash = hash;
  }

  run(plan: FieldsPlan): void {
    this.#value(plan, 'the message');
  }

  #value(plan: Plan | undefined, name: string): void {
    const scanner = this.#scanner;
    const first = scanner.peek();
    if (first === '[') scanner.array(() => this.#value(plan, name));
    else if (first === '{') this.#object(plan, name);
    else this.#scalar(plan, name);
  }

  #object(plan: Plan | undefined, name: string): void {
    const kind = plan?.kind;
    if (kind === 'hash' || kind === 'round')
      throw new Error(`${name} is an object; ${kind} does not allow one`);
    const within = (member: string): Plan | undefined =>
      plan?.kind === 'fields' ? plan.fields.get(member) : plan;
    const members = this.#scanner.object((member) => {
      // A member that goes needs no edits of its own.
      this.#value(within(member)?.kind === 'drop' ? undefined : within(member), member);
    });
    const isDropped = (member: Member): boolean => within(member.name)?.kind === 'drop';
    if (members.some(isDropped)) this.#remove(members, isDropped);
    if (plan?.kind === 'fields') for (const grid of plan.grids) this.#grid(members, grid);
  }

  #scalar(plan: Plan | undefined, name: string): void {
    const from = this.#scanner.at;
    const token = this.#scanner.token();
    if (plan === undefined || plan.kind === 'fields' || token === 'null') return;
    const text = this.#changed(token, plan, name);
    if (text !== token) this.edits.push({ from, to: this.#scanner.at, text });
  }

  #changed(token: string, plan: Exclude<Plan, FieldsPlan>, name: string): string {
    const isText = token.startsWith('"');
    if (plan.kind === 'hash') {
      const text = isText ? (JSON.parse(token) as string) : token;
      return JSON.stringify(this.#hash(Buffer.from(text)));
    }
    if (plan.kind === 'round') {
      const value: unknown = JSON.parse(token);
      if (typeof value !== 'number')
        throw new Error(`${name} is ${isText ? 'a text' : token}; round allows: a number`);
      const rounded = plan.round(value);
      return rounded === value ? token : JSON.stringify(rounded);
    }
    if (isText) return '""';
    return token === 'true' || token === 'false' ? 'false' : '0';
  }

  /** Members with the commas that belong to them; the white space around the others stays. */
  #remove(members: readonly Member[], isDropped: (member: Member) => boolean): void {
    const lastKept = members.findLastIndex((member) => !isDropped(member));
    const end = present(members.at(-1)).to;
    members.slice(0, lastKept).forEach((member, index) => {
      if (isDropped(member)) this.edits.push({ from: member.from, to: members[index + 1]!.from, text: '' });
    });
    const from = lastKept < 0 ? members[0]!.from : members[lastKept]!.to;
    if (from < end) this.edits.push({ from, to: end, text: '' });
  }

  #grid(members: readonly Member[], { latitude, longitude, metres }: Grid): void {
    const found = [latitude, longitude].map((name) => members.filter((member) => member.name === name));
    const [rows = [], columns = []] = found;
    if (rows.length === 0 && columns.length === 0) return;
    const [row, column] = [rows[0], columns[0]];
    if (rows.length !== 1 || columns.length !== 1 || !row || !column) {
      throw new Error(`a grid needs ${latitude} and ${longitude} once each in the same object`);
    }
    const values = [row, column].map(({ valueFrom, to }) => {
      const value: unknown = JSON.parse(this.#scanner.text.slice(valueFrom, to));
      if (value !== null && typeof value !== 'number') {
        throw new Error(`${latitude} or ${longitude} is no number; a grid allows: a number`);
      }
      return value ?? NaN;
    });
    const rounded = toGrid(values[0]!, values[1]!, metres);
    // JSON has no NaN: half a position becomes null.
    for (const [index, { valueFrom, to }] of [row, column].entries()) {
      this.edits.push({ from: valueFrom, to, text: JSON.stringify(rounded[index]) });
    }
  }
}
