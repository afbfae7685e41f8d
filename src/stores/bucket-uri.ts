import { keySegments } from './object-key.js';
import type { StoreOptionTexts } from './option-reader.js';

/** `scheme://authority/path?options`, taken apart. */
export interface BucketUri {
  /** Bucket or account. */
  readonly authority: string;
  /** Decoded, with its slashes. */
  readonly path: string;
  readonly texts: StoreOptionTexts;
}

/** Names that belong into the environment only. */
const CREDENTIALS = /key|secret|token|password|credential|^sas$|^sig$/i;

/**
 * Takes a URI apart and collects its faults. Credentials in it are refused and never repeated.
 *
 * @param given - Options from elsewhere, which override the query.
 */
export function parseBucketUri(
  uri: string,
  given: StoreOptionTexts,
  rules: {
    /** Of the URI, such as `s3://bucket/prefix`. */
    readonly form: string;
    /** Where credentials come from instead. */
    readonly credentials: string;
    /** Options whose names only look like credentials. */
    readonly harmless?: readonly string[];
  },
  faults: string[],
): BucketUri {
  const match = /^[a-z0-9]+:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/.exec(uri);
  if (!match) faults.push(`the URI is not of the form ${rules.form}?option=value`);
  const [authority, path, query] = [match?.[1] ?? '', match?.[2] ?? '', match?.[3] ?? ''];
  const refuse = (where: string): void => {
    faults.push(`${where} looks like credentials; ${rules.credentials}`);
  };
  const texts: Record<string, string | number | boolean | undefined> = {};
  for (const [name, value] of [...new URLSearchParams(query), ...Object.entries(given)]) {
    if (value === undefined) continue;
    // Neither name nor value is shown: either may be the secret.
    if (CREDENTIALS.test(name) && !rules.harmless?.includes(name)) refuse('an option');
    else texts[name] = value;
  }
  const at = authority.lastIndexOf('@');
  if (at >= 0) refuse('the part before "@"');
  return { authority: authority.slice(at + 1), path: decode(path, faults), texts };
}

function decode(path: string, faults: string[]): string {
  try {
    return decodeURIComponent(path);
  } catch {
    faults.push('the prefix has a "%" that is no percent-encoding');
    return '';
  }
}

/** A prefix without leading and trailing slashes; collects the fault of one that no key may have. */
export function cleanPrefix(prefix: string, faults: string[]): string {
  const clean = prefix.replace(/^\/+|\/+$/g, '');
  try {
    if (clean !== '') keySegments(clean);
  } catch (error) {
    faults.push(`prefix: ${(error as Error).message}`);
  }
  return clean;
}
