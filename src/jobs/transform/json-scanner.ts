const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
const SCALAR = /[^\s,\]}]+/y;
const SPACE = /\s*/y;

/** A part of the text that is replaced. */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** A member of an object, by its places in the text. */
export interface Member {
  readonly name: string;
  readonly from: number;
  readonly valueFrom: number;
  readonly to: number;
}

/** Walks along a text that is known to be JSON, without building values. */
export class JsonScanner {
  at = 0;

  constructor(readonly text: string) {}

  /** The first character of the next token. */
  peek(): string {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
    return this.text[this.at] ?? '';
  }

  /** The next text or scalar, as it is written. */
  token(): string {
    const pattern = this.peek() === '"' ? STRING : SCALAR;
    pattern.lastIndex = this.at;
    const [token = ''] = pattern.exec(this.text) ?? [];
    this.at += token.length;
    return token;
  }

  /** Calls `each` at the value of every member, and then returns the members. */
  object(each: (name: string) => void): Member[] {
    const members: Member[] = [];
    this.at++;
    while (this.peek() !== '}') {
      if (this.text[this.at] === ',') {
        this.at++;
        continue;
      }
      const from = this.at;
      const name = JSON.parse(this.token()) as string;
      this.peek();
      this.at++;
      this.peek();
      const valueFrom = this.at;
      each(name);
      members.push({ name, from, valueFrom, to: this.at });
    }
    this.at++;
    return members;
  }

  /** Calls `each` at every element. */
  array(each: () => void): void {
    this.at++;
    while (this.peek() !== ']') {
      if (this.text[this.at] === ',') this.at++;
      else each();
    }
    this.at++;
  }
}

/** The text with its edits, which do not overlap. */
export function withEdits(text: string, edits: readonly Edit[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.from - b.from)) {
    parts.push(text.slice(at, edit.from), edit.text);
    at = edit.to;
  }
  return parts.join('') + text.slice(at);
}
