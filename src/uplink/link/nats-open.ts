import { documentKind } from '../../core/documents/document.js';
import { object, text } from '../../core/documents/schema-parts.js';

/** What a robot asks for: a link with this number, and its token. */
export interface OpenRequest {
  readonly link: string;
  readonly token: string;
}

/** The answer of a ground: the process that has accepted, or why none has. */
export type OpenAnswer =
  | { readonly kind: 'accepted'; readonly worker: string }
  | { readonly kind: 'refused' | 'unavailable'; readonly reason: string };

const MAX_BYTES = 1_000;
const number = { ...text, pattern: '^[0-9a-f]{8}$', description: '8 hexadecimal digits' };
const word = { ...text, minLength: 1, maxLength: 200, description: '1 to 200 characters' };

const requests = documentKind<OpenRequest>('request of a robot', object({ link: number, token: word }));
const accepted = documentKind<OpenAnswer>(
  'answer of a ground',
  object({ kind: { const: 'accepted', description: 'accepted' }, worker: number }),
);
const declined = documentKind<OpenAnswer>(
  'answer of a ground',
  object({ kind: { enum: ['refused', 'unavailable'], description: 'refused, unavailable' }, reason: word }),
);

/** Reads a request. Undefined: it has no valid form. */
export function readOpenRequest(bytes: Uint8Array): OpenRequest | undefined {
  return requests.parseIfValid(textOf(bytes));
}

/** Reads an answer. */
export function readOpenAnswer(bytes: Uint8Array): OpenAnswer {
  const found = accepted.parseIfValid(textOf(bytes)) ?? declined.parseIfValid(textOf(bytes));
  return found ?? { kind: 'unavailable', reason: 'an answer that cannot be read' };
}

/** Encodes a request or an answer. */
export function writeOpen(message: OpenRequest | OpenAnswer): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}

function textOf(bytes: Uint8Array): string | undefined {
  return bytes.byteLength > MAX_BYTES ? undefined : Buffer.from(bytes).toString('utf8');
}
