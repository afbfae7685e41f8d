import { describeError } from '../../../core/errors.js';
import { isFinal, type FetchAnswer } from '../../../core/fetch-request.js';
import { parseTime, TIME_FORM } from '../../../core/parse-time.js';
import type { Store } from '../../../core/store.js';
import { isVin } from '../../../core/vin.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, printable } from '../../../host/human.js';
import type { KnownRequest, Wanted } from '../../../recordings/fetch.js';
import { configInvalid, type ConfigFault } from '../../../settings/fault.js';
import { openConfiguredStore } from '../../setup/open-configured-store.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { addIdentityFlag } from '../identity-option.js';
import { readingParameters } from '../reading-arguments.js';

const POLL_MS = 5_000;
const DEFAULT_DAYS = 7;

export const fetchCommand: CommandDefinition = {
  name: 'fetch',
  summary: 'request recorded segments from a robot, through its store or a ground',
  description:
    'Writes a request into the store of a robot. The sync process of the robot finds it there, uploads the ' +
    'segments of that time before everything else, and writes an answer. This works behind NAT, and while the ' +
    'robot is offline: it answers when it has a link. Without --from and --to, the command shows the requests ' +
    'to the robot and their answers. With --topics, whole segments that contain one of the topics are sent; --out then keeps only these topics and this time, in one MCAP.\n\nWith --ground, the request ' +
    'goes to a ground (docs/ground.md), which brings it to the robot over its uplink, or through its stores.',
  examples: [
    [
      'holdfast fetch robot_7 --from 2026-11-21T08:00:00Z --to 2026-11-21T08:05:00Z --to-store s3://rec --wait',
      'five minutes, and wait until they are in the store',
    ],
    [
      "holdfast fetch robot_7 --from ... --to ... --topics '/odom' '/imu/*' --to-store s3://rec --out drive",
      'only these topics of this time, in drive/export.mcap',
    ],
    ['holdfast fetch robot_7 --to-store s3://rec', 'show the requests and their answers'],
    [
      'holdfast fetch robot_7 --ground https://ground.example:8090 --ground-token-file me.token --from ... --to ...',
      'over the uplink of the robot',
    ],
    [
      'holdfast fetch robot_7 --to-store s3://rec --withdraw 0f3a',
      'withdraw a request, by the start of its id',
    ],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('<robot>', 'the robot, by its name or VIN')
      .option('--to-store <uri>', 'the store that the robot uploads to')
      .option('--ground <url>', 'address of a ground, http(s)://...')
      .option('--ground-token-file <file>', 'file with the token of a user of the ground')
      .option('--from <time>', `from this log time on (${TIME_FORM})`)
      .option('--to <time>', 'up to this log time')
      .option('--topics <name...>', 'only segments with one of these topics; * stands for any text')
      .option('--days <n>', 'the robot gives up after this many days', String(DEFAULT_DAYS))
      .option('--by <name>', 'who asks; it stands in the log of the robot')
      .option('--wait', 'wait until the robot has sent everything')
      .option(
        '--out <folder>',
        'wait, then write what was requested, only these topics and this time, to export.mcap in this folder',
      )
      .option('--withdraw <id>', 'withdraw a request');
    addIdentityFlag(command);
  },
  async run(invocation) {
    const { args, options, ports, stop, terminal } = invocation;
    const wanted = parseWanted(invocation);
    if (options['ground'] !== undefined) {
      const { fetchAtGround } = await import('../fetch-at-ground.js');
      return await fetchAtGround(invocation, wanted);
    }
    await using store = await openConfiguredStore(
      String(options['toStore']),
      invocation.resolve('sync'),
      ports,
    );
    const robot = await robotIn(store, args[0] ?? '', invocation);
    const { listRequests, requestSegments, withdrawRequest } = await import('../../../recordings/fetch.js');
    const list = (): Promise<KnownRequest[]> =>
      listRequests(
        store,
        robot,
        (where, reason) => terminal.note(`holdfast: ${printable(where)}: ${printable(reason)}\n`),
        { signal: stop.signal },
      );
    if (typeof options['withdraw'] === 'string') {
      const prefix = options['withdraw'];
      const found = (await list()).filter(({ request }) => request.id.startsWith(prefix));
      for (const { request } of found) await withdrawRequest(store, request);
      await invocation.say(`${found.length} requests withdrawn`);
      return result(found.length > 0, found);
    }
    if (wanted === undefined) {
      const all = await list();
      for (const one of all) await show(invocation, one);
      if (all.length === 0) await invocation.say(`no requests to ${printable(robot)} in ${store.uri}`);
      return result(true, all);
    }
    const { now, random } = { now: ports.clock.now(), random: ports.random };
    const request = await requestSegments(store, { robot, ...wanted }, { now, random });
    await invocation.say(`requested: ${request.id}`);
    const known = { request, state: 'queued' as const, answers: [] };
    const out = options['out'] as string | undefined;
    if (options['wait'] !== true && out === undefined) return result(true, [known]);
    const waited = await waitFor(invocation, store, request.id, list);
    if (out === undefined || waited.exitCode !== exitCodes.ok) return waited;
    const { exportFetched } = await import('../export-fetched.js');
    const isWhole = await exportFetched(invocation, store.uri, { ...wanted, robots: [robot] }, out);
    return isWhole ? waited : { ...waited, exitCode: exitCodes.findings };
  },
};

type WantedTime = Omit<Wanted, 'robot'>;

/** Undefined: nothing is requested. Throws `CONFIG_INVALID` with all faults. */
function parseWanted({ options }: Invocation): WantedTime | undefined {
  const faults: ConfigFault[] = [];
  const fault = (option: string, value: unknown, allowed: string): void => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
  };
  const time = (option: 'from' | 'to'): bigint | undefined => {
    const text = options[option] as string | undefined;
    const parsed = text === undefined ? undefined : parseTime(text);
    if (text !== undefined && parsed === undefined) fault(option, text, TIME_FORM);
    return parsed;
  };
  const [from, to] = [time('from'), time('to')];
  if ((options['from'] === undefined) !== (options['to'] === undefined)) {
    fault(options['from'] === undefined ? 'from' : 'to', undefined, `${TIME_FORM}; both are needed`);
  }
  if ((options['toStore'] === undefined) === (options['ground'] === undefined))
    fault('to-store', options['toStore'], 'a store, or --ground URL instead; one of them');
  const days = Number(options['days']);
  if (!(days > 0 && days <= 90)) fault('days', options['days'], 'a number up to 90');
  if (faults.length > 0) throw configInvalid(faults);
  if (from === undefined || to === undefined) return undefined;
  const topics = options['topics'] as readonly string[] | undefined;
  const by = options['by'] as string | undefined;
  return { from, to, days, ...(topics && { topics }), ...(by !== undefined && { by }) };
}

/** The robot with a name, or with a VIN in a manifest of the store. Throws `CONFIG_INVALID` if several have it. */
async function robotIn(store: Store, given: string, { stop, ports, terminal }: Invocation): Promise<string> {
  if (!isVin(given)) return given;
  const { FilePool } = await import('../../../recordings/file-readable.js');
  const { listRows } = await import('../../../recordings/list-segments.js');
  const { robotNamed } = await import('../../../recordings/robots-of-vins.js');
  await using files = new FilePool(ports.fs);
  const found = { any: false };
  const robot = await robotNamed(given, async function* () {
    const options = { files, onProblem: () => undefined, signal: stop.signal };
    for await (const row of listRows({ kind: 'store', store }, options)) {
      found.any ||= row.robot === given || row.vin === given;
      yield row;
    }
  });
  if (!found.any)
    terminal.note(
      `holdfast: ${given} looks like a VIN, and no recording in ${store.uri} has it. ` +
        'The request is to a robot of this name.\n',
    );
  else if (robot !== given) terminal.note(`holdfast: ${given} is the VIN of ${printable(robot)}\n`);
  return robot;
}

async function waitFor(
  invocation: Invocation,
  store: Store,
  id: string,
  list: () => Promise<KnownRequest[]>,
): Promise<CommandResult> {
  const { stop, ports, terminal } = invocation;
  let last: KnownRequest | undefined;
  while (!stop.signal.aborted) {
    try {
      last = (await list()).find(({ request }) => request.id === id);
    } catch (error) {
      terminal.note(`holdfast: ${store.uri} does not answer, trying again: ${describeError(error)}\n`);
    }
    if (last !== undefined) terminal.live(lineOf(last));
    if (last && last.answers.length > 0 && last.answers.every((answer) => isFinal(answer))) break;
    await ports.clock.sleep(POLL_MS, stop.signal).catch(() => undefined);
  }
  terminal.live('');
  if (last !== undefined) await show(invocation, last);
  return result(last?.state === 'done', last === undefined ? [] : [last]);
}

async function show(invocation: Invocation, known: KnownRequest): Promise<void> {
  await invocation.say(lineOf(known));
  for (const answer of known.answers) {
    if (answer.reason !== undefined) await invocation.say(`  ${printable(answer.reason)}`);
    for (const { name, state, reason } of answer.segments) {
      if (state === 'parked')
        await invocation.say(`  ${printable(name)}: parked: ${printable(reason ?? '')}`);
    }
    for (const { name, reason, messages } of answer.gone) {
      await invocation.say(`  ${printable(name)}: gone: ${messages} messages, evicted: ${printable(reason)}`);
    }
  }
}

function lineOf({ request, state, answers }: KnownRequest): string {
  const sum = (value: (answer: FetchAnswer) => number): number =>
    answers.reduce((total, answer) => total + value(answer), 0);
  const amount =
    answers.length === 0
      ? 'not seen by the robot yet'
      : `${sum(({ stored }) => stored.segments)} of ${sum(({ matched }) => matched.segments)} segments, ` +
        `${humanBytes(sum(({ stored }) => stored.bytes))} of ${humanBytes(sum(({ matched }) => matched.bytes))}`;
  const open = answers.some(({ isRecording }) => isRecording) ? ', a part is still being recorded' : '';
  return `${request.id} ${state}: ${amount}${open}`;
}

function result(ok: boolean, requests: readonly KnownRequest[]): CommandResult {
  return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, requests } };
}
