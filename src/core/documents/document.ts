import { Ajv, type ErrorObject, type SchemaObject, type ValidateFunction } from 'ajv';
import { HoldfastError } from '../errors.js';
import { jsonText } from '../json-text.js';

/** One kind of JSON document that Holdfast keeps on disk or in a store. */
export interface DocumentKind<T> {
  /** Parses the document. Throws `MANIFEST_INVALID` and no other error. */
  parse(text: string, name: string): T;
  /** Returns the document, if the text is a valid one. */
  parseIfValid(text: string | undefined): T | undefined;
}

/** Maximum nesting depth; Holdfast's own documents have fewer than ten levels. */
const DEPTH_MAX = 100;
/** Number of characters of a wrong value that an error shows. */
const SHOWN_CHARS = 80;

/**
 * Describes a kind of document by its JSON schema. Documents from disks and stores become typed only here. A
 * user with write access can write anything, so the type holds only because every field was checked. Members
 * that the schema does not name are allowed: a later version may have more.
 *
 * @param what - How errors call it: `manifest`, `receipt`.
 * @param schema - JSON Schema; the `description` of each member says what is allowed, as a phrase.
 */
export function documentKind<T>(what: string, schema: SchemaObject): DocumentKind<T> {
  // Compiled with the first document: most commands read few kinds.
  let check: ValidateFunction<T> | undefined;
  const parse = (text: string, name: string): T => {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw invalid(`${what} ${name} is not JSON`, { name }, cause);
    }
    // A deeper document would overflow the stack of code that walks through it.
    if (isDeeper(json, DEPTH_MAX)) {
      throw invalid(`${what} ${name} is nested deeper than ${DEPTH_MAX} levels`, { name });
    }
    check ??= new Ajv({ verbose: true, allowUnionTypes: true }).compile<T>(schema);
    if (check(json)) return json;
    const { path, value, allowed } = faultIn(check.errors?.[0]);
    const shown = String(jsonText(value)).slice(0, SHOWN_CHARS);
    throw invalid(`${what} ${name}: ${path} is ${shown}, allowed: ${allowed}`, { name, path, value: shown });
  };
  return {
    parse,
    parseIfValid(text) {
      if (text === undefined) return undefined;
      try {
        return parse(text, '');
      } catch {
        return undefined;
      }
    },
  };
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((member) => isDeeper(member, levels - 1));
}

interface Fault {
  readonly path: string;
  readonly value: unknown;
  readonly allowed: string;
}

function faultIn(error: ErrorObject | undefined): Fault {
  if (error === undefined) return { path: 'the whole', value: undefined, allowed: 'what the schema says' };
  const { instancePath, parentSchema, keyword, params, data } = error;
  const at = instancePath.split('/').slice(1);
  if (keyword === 'required') {
    const { missingProperty } = params as { missingProperty: string };
    const members = (parentSchema as SchemaObject)['properties'] as Record<string, SchemaObject> | undefined;
    const allowed = String(members?.[missingProperty]?.['description'] ?? 'a value');
    return { path: [...at, missingProperty].join('.'), value: undefined, allowed };
  }
  const allowed = String(parentSchema?.['description'] ?? error.message ?? 'something else');
  return { path: at.join('.') || 'the whole', value: data, allowed };
}

function invalid(message: string, facts: Readonly<Record<string, unknown>>, cause?: unknown): HoldfastError {
  return new HoldfastError('MANIFEST_INVALID', message, { cause, facts });
}
