/** What a server has; `/robots/:robot` has a part with any name. */
export interface Served {
  /** `WebSocket`: a connection of this kind. */
  readonly method: 'GET' | 'POST' | 'WebSocket';
  readonly path: string;
}

/** An answer to a request that fits nothing. */
export interface NothingHere {
  readonly status: 404 | 405 | 426;
  readonly code: 'NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'WEBSOCKET_REQUIRED';
  /** Names the path, and what is there instead. */
  readonly message: string;
  /** The header that goes with the status. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A longer path is cut in the message. */
const SHOWN_CHARACTERS = 100;

/** Says what is wrong with a request for which there is no operation: its path, or its method. */
export function nothingHere(
  asked: { readonly method: string; readonly path: string },
  served: readonly Served[],
  /** Path of the document that describes them. */
  document: string,
): NothingHere {
  const parts = partsOf(asked.path);
  const shown = JSON.stringify(asked.path.slice(0, SHOWN_CHARACTERS));
  const here = served.filter(({ path }) => partsOf(path).length === parts.length && begins(path, parts));
  const methods = [...new Set(here.map(({ method }) => method))].sort();
  const [first] = methods;
  if (first === 'WebSocket' && methods.length === 1) {
    const message = `at ${shown} allowed: a WebSocket`;
    return { status: 426, code: 'WEBSOCKET_REQUIRED', message, headers: { upgrade: 'websocket' } };
  }
  if (first !== undefined && !methods.some((method) => method === asked.method)) {
    const message = `${asked.method} is not allowed at ${shown}, allowed: ${methods.join(', ')}`;
    return { status: 405, code: 'METHOD_NOT_ALLOWED', message, headers: { allow: methods.join(', ') } };
  }
  const allowed = pathsNear(parts, served).join(', ');
  const message = `there is nothing at ${shown}, allowed: ${allowed}; see ${document}`;
  return { status: 404, code: 'NOT_FOUND', message, headers: {} };
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '');
}

/** Whether a path of the server begins with these parts. */
function begins(path: string, parts: readonly string[]): boolean {
  const own = partsOf(path);
  return parts.every((part, index) => own[index] === part || own[index]?.startsWith(':') === true);
}

/** What is there, one part below the longest beginning that the server knows; `/api/...` has only paths below it. */
function pathsNear(parts: readonly string[], served: readonly Served[]): readonly string[] {
  for (let depth = parts.length; depth > 0; depth--) {
    const known = served.filter(({ path }) => begins(path, parts.slice(0, depth)));
    if (known.length > 0) return cutTo(depth, known);
  }
  return cutTo(0, served);
}

function cutTo(depth: number, served: readonly Served[]): readonly string[] {
  const whole = new Set<string>();
  const begun = new Set<string>();
  for (const { path } of served) {
    const parts = partsOf(path).map((part) => part.replace(/^:(.*)$/, '{$1}'));
    const cut = `/${parts.slice(0, depth + 1).join('/')}`;
    if (parts.length > depth + 1) begun.add(cut);
    else whole.add(cut);
  }
  const only = [...begun].filter((path) => !whole.has(path)).map((path) => `${path}/...`);
  return [...whole, ...only].sort();
}
