import { HoldfastError } from '../core/errors.js';

/** A source URI in its parts: `mcap:bags/run1?speed=2x`, `sim:?robots=3`, `foxglove:ws://host:8765`. */
export interface SourceUri {
  /** Lower case, without the colon: `sim`, `mcap`, `foxglove`. */
  readonly scheme: string;
  /** The text between the scheme and the query, unchanged: a file path, an address, or empty. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The whole, with any password or token replaced by `***`. */
  readonly text: string;
}

/**
 * Splits a source URI. The path is taken literally (nothing is percent-decoded, because it may be any file
 * name). The query begins at the last `?` that is followed by `name=` or by nothing.
 *
 * @throws HoldfastError SOURCE_UNKNOWN if there is no scheme.
 */
export function parseSourceUri(uri: string): SourceUri {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (scheme === undefined) {
    throw new HoldfastError(
      'SOURCE_UNKNOWN',
      `source "${uri}" has no scheme such as sim:, mcap: or foxglove:`,
      {
        facts: { uri },
      },
    );
  }
  const rest = uri.slice(scheme.length + 1);
  const at = rest.lastIndexOf('?');
  const hasQuery = at >= 0 && /^([A-Za-z][\w.-]*=|$)/.test(rest.slice(at + 1));
  return {
    scheme: scheme.toLowerCase(),
    path: hasQuery ? rest.slice(0, at) : rest,
    query: new URLSearchParams(hasQuery ? rest.slice(at + 1) : ''),
    text: withoutSecrets(uri),
  };
}

/** Also secrets in the wrong place: the refusal is logged. */
export function withoutSecrets(uri: string): string {
  return uri
    .replace(/(\/\/[^/:@]*):[^/@]*@/, '$1:***@')
    .replace(/(\bnats:\/\/)[^/:@]+@/i, '$1***@')
    .replace(/([?&](?:token|password|pass|secret|seed)=)[^&\s"]*/gi, '$1***');
}
