import { formatTime } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { FetchView } from '../../ground/fetch/fetch-view.js';
import { exitCodes } from '../../host/exit-code.js';
import { humanBytes, printable } from '../../host/human.js';
import type { CommandResult, Invocation } from './command-definition.js';
import { groundClient, type AskGround } from './ground-client.js';
import type { Wanted } from '../../recordings/fetch.js';

const POLL_MS = 1_000;

/** Asks a ground for segments of a robot, or shows and withdraws the requests there. */
export async function fetchAtGround(
  invocation: Invocation,
  wanted: Omit<Wanted, 'robot'> | undefined,
): Promise<CommandResult> {
  const { args, options } = invocation;
  const robot = args[0] ?? '';
  const client = await groundClient(invocation);
  const { ask } = client;
  if (typeof options['withdraw'] === 'string') return await withdraw(invocation, ask, options['withdraw']);
  if (wanted === undefined) {
    const all = await listOf(ask, robot);
    for (const one of all) await show(invocation, one);
    if (all.length === 0) await invocation.say(`the ground has no requests to ${printable(robot)}`);
    return result(true, all);
  }
  const { from, to, topics, days } = wanted;
  const body = { robot, from: formatTime(from), to: formatTime(to), days, ...(topics && { topics }) };
  const made = (await ask('POST', 'api/requests', body)) as FetchView;
  await invocation.say(
    `requested: ${made.id}, ${made.via === 'uplink' ? 'over the uplink' : 'through the store'}`,
  );
  const out = options['out'] as string | undefined;
  if (options['wait'] !== true && out === undefined) return result(true, [made]);
  const last = await waitFor(invocation, ask, made);
  const waited = result(last.state === 'done', [last]);
  if (out === undefined || waited.exitCode !== exitCodes.ok) return waited;
  const keys = last.segments.filter(({ state }) => state === 'stored').map(({ key }) => key);
  const { exportFromGround } = await import('./export-fetched.js');
  const isWhole = await exportFromGround(invocation, client, { ...wanted, robot }, { keys, out });
  return isWhole ? waited : { ...waited, exitCode: exitCodes.findings };
}

async function listOf(ask: AskGround, robot: string): Promise<readonly FetchView[]> {
  const { requests } = (await ask('GET', `api/requests?robot=${encodeURIComponent(robot)}`)) as {
    readonly requests: readonly FetchView[];
  };
  return [...requests].reverse();
}

async function withdraw(invocation: Invocation, ask: AskGround, prefix: string): Promise<CommandResult> {
  const all = await listOf(ask, invocation.args[0] ?? '');
  const found = all.filter(({ id, endedAtMs }) => id.startsWith(prefix) && endedAtMs === null);
  for (const { id } of found) await ask('POST', `api/requests/${id}/withdraw`, {});
  await invocation.say(`${found.length} requests withdrawn`);
  return result(found.length > 0, found);
}

/** Until it has ended, or a signal comes. A ground that does not answer now is asked again. */
async function waitFor(invocation: Invocation, ask: AskGround, made: FetchView): Promise<FetchView> {
  const { ports, stop, terminal } = invocation;
  let last = made;
  while (!stop.signal.aborted) {
    try {
      last = (await ask('GET', `api/requests/${made.id}`)) as FetchView;
    } catch (error) {
      terminal.note(`holdfast: trying again: ${describeError(error)}\n`);
    }
    terminal.live(lineOf(last));
    if (last.endedAtMs !== null) break;
    await ports.clock.sleep(POLL_MS, stop.signal).catch(() => undefined);
  }
  terminal.live('');
  await show(invocation, last);
  return last;
}

async function show(invocation: Invocation, one: FetchView): Promise<void> {
  await invocation.say(lineOf(one));
  if (one.reason !== '') await invocation.say(`  ${printable(one.reason)}`);
  for (const { name, state, reason } of one.segments)
    if (state === 'parked') await invocation.say(`  ${printable(name)}: parked: ${printable(reason)}`);
  for (const { name, reason, messages } of one.gone)
    await invocation.say(`  ${printable(name)}: gone: ${messages} messages, evicted: ${printable(reason)}`);
}

function lineOf({ id, state, isSeen, matched, stored, sentBytes, isRecording }: FetchView): string {
  const amount = isSeen
    ? `${stored.segments} of ${matched.segments} segments, ${humanBytes(sentBytes)} of ${humanBytes(matched.bytes)}`
    : 'not seen by the robot yet';
  return `${id} ${state}: ${amount}${isRecording ? ', a part is still being recorded' : ''}`;
}

function result(ok: boolean, requests: readonly FetchView[]): CommandResult {
  return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, requests } };
}
