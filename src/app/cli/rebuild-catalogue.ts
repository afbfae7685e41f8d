import { HoldfastError } from '../../core/errors.js';
import { exitCodes } from '../../host/exit-code.js';
import type { CommandResult, Invocation } from './command-definition.js';

/** What the ground says about a store that it has read. */
interface RebuiltStore {
  readonly uri: string;
  readonly recordings?: number;
  readonly problems?: number;
  readonly problem?: string;
  readonly error?: string;
}

/** Asks a running ground to empty its catalogue and to read every store again. */
export async function rebuildCatalogue(invocation: Invocation): Promise<CommandResult> {
  const { options, ports, stop } = invocation;
  const url = String(options['url']);
  if (!/^https?:\/\/[^/]/.test(url)) {
    const message = `--url is "${url}", allowed: http(s)://ADDRESS of a ground`;
    throw new HoldfastError('REQUEST_INVALID', message, { facts: { url } });
  }
  const tokenFile = options['tokenFile'];
  const token =
    typeof tokenFile === 'string' ? (await ports.fs.readFile(tokenFile)).toString('utf8').trim() : undefined;
  const address = new URL('/api/catalogue/rebuild', url);
  let answer: Response;
  try {
    answer = await fetch(address, {
      ...{ method: 'POST', signal: stop.signal },
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    });
  } catch (cause) {
    stop.signal.throwIfAborted();
    throw new HoldfastError('GROUND_UNREACHABLE', `no ground answers at ${url}`, { cause, facts: { url } });
  }
  if (!answer.ok) {
    const said = (await answer.text()).slice(0, 300);
    const message = `the ground at ${url} refuses to rebuild its catalogue (${answer.status}): ${said}`;
    throw new HoldfastError('REQUEST_INVALID', message, { facts: { url, status: answer.status } });
  }
  const { stores } = (await answer.json()) as { readonly stores: readonly RebuiltStore[] };
  for (const { uri, recordings = 0, problems = 0, problem, error } of stores) {
    const fault =
      error ?? (problems > 0 ? `${problems} manifests are not usable, the first: ${problem}` : '');
    await invocation.say(
      `${uri}: ${error === undefined ? `${recordings} recordings` : 'not read'}${fault === '' ? '' : `; ${fault}`}`,
    );
  }
  const ok = stores.every(({ error, problems = 0 }) => error === undefined && problems === 0);
  return { exitCode: ok ? exitCodes.ok : exitCodes.failed, json: { ok, stores } };
}
