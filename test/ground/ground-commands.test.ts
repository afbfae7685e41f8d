import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import { present } from '../../src/core/present.js';
import { PendingCommands } from '../../src/ground/pending-commands.js';
import type { CommandOutcome } from '../../src/ground/commands.js';
import { CommandAnswerer } from '../../src/uplink/robot/command-answerer.js';
import type { RobotCommand } from '../../src/uplink/protocol/robot-command.js';
import { decodeGroundMessage, encodeGroundMessage } from '../../src/uplink/protocol/uplink-messages.js';
import { eventually } from '../../src/testing/waiting.js';
import { SimulatedClock } from '../support/simulated-clock.js';
import { DrivingRobot, GroundWorld } from './ground-world.js';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly ok?: boolean;
    readonly tags?: unknown;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

const VIN = '1ZZZ5A3T0RF000001';
/** What kind of message a robot reads from the bytes of a command. */
function read(command: RobotCommand): string {
  return decodeGroundMessage(encodeGroundMessage({ kind: 'command', epoch: 1, id: 1, command })).kind;
}

const split: RobotCommand = { name: 'split', label: '', beforeS: 0, afterS: 0 };

describe('A command of the ground', () => {
  let world: GroundWorld;
  let robot: DrivingRobot;
  beforeEach(async () => {
    world = await GroundWorld.start();
    robot = new DrivingRobot('robot_7', world.url, await world.registry.enrol('robot_7'));
    await world.seen('robot_7', 'a sample', ({ samples }) => samples > 0);
  });
  afterEach(async () => {
    await robot[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  async function give(path: string, body: object = {}, token?: string): Promise<Answer> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${world.port}/api/robots/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Answer['body'] };
  }

  it('is done by the robot, and is in the audit log with who gave it', async () => {
    const mark = { label: 'hard stop', before_s: 10, after_s: 5 };
    const { status, body } = await give('robot_7/control/mark_event', mark);
    assert.deepEqual([status, body.ok], [200, true]);
    assert.deepEqual(robot.asked, [{ name: 'mark_event', label: 'hard stop', beforeS: 10, afterS: 5 }]);
    const [entry, ...others] = await world.audit.list(10);
    assert.equal(others.length, 0);
    const { who, role, state, message, label, robot: to } = present(entry);
    assert.deepEqual([who, role, state, message], ['local', 'admin', 'done', 'done as asked']);
    assert.deepEqual([to, label], ['robot_7', 'hard stop']);
  });

  it('reaches the robot by its VIN, and is in the audit log under its name', async () => {
    robot.facts = { ...robot.facts, figures: { ...robot.facts.figures, vin: VIN } };
    await world.seen('robot_7', 'its VIN', ({ vin }) => vin === VIN);
    assert.equal((await give(`${VIN}/control/split`)).status, 200);
    assert.equal((await world.audit.list(1))[0]?.robot, 'robot_7');
    assert.equal((await give('1ZZZ5A3T0RF000009/control/split')).status, 404);
  });

  it('that the robot refuses is refused with its reason', async () => {
    robot.obey = () => Promise.reject(new HoldfastError('STATE_REFUSED', 'it is not recording'));
    const { status, body } = await give('robot_7/control/pause');
    assert.equal(status, 409);
    assert.match(body.error?.message ?? '', /it is not recording.*STATE_REFUSED/);
    assert.equal((await world.audit.list(1))[0]?.state, 'refused');
  });

  it('sets a parameter with its value, and shows which there are', async () => {
    const value = ['^/imu', '^/gnss'];
    const { status } = await give('robot_7/control/set_parameter', { parameter: 'topics.include', value });
    assert.equal(status, 200);
    const { parameter, value: sent } = present(robot.asked[0]);
    assert.deepEqual([parameter, JSON.parse(sent ?? '')], ['topics.include', value]);
    assert.equal((await world.audit.list(1))[0]?.label, 'topics.include = ["^/imu","^/gnss"]');
    const long = { parameter: 'topics.include', value: 'x'.repeat(9_000) };
    assert.equal((await give('robot_7/control/set_parameter', long)).status, 400);
    const about = { kind: 'texts', unit: '', allowed: 'regular expressions', description: 'Records only' };
    const list = [{ name: 'topics.include', value, ...about }];
    const look = (): Promise<Response> =>
      fetch(`http://127.0.0.1:${world.port}/api/robots/robot_7/parameters`);
    robot.obey = () => Promise.resolve({ message: 'the parameters', result: JSON.stringify(list) });
    assert.deepEqual(await (await look()).json(), { parameters: list });
    robot.obey = () => Promise.resolve({ message: 'the parameters', result: '[{"name": 1}]' });
    assert.equal((await look()).status, 502);
    assert.equal((await world.audit.list(10)).length, 1, 'a look is in no log');
  });

  it('sets tags, answers with all that hold, and is in the audit log with them', async () => {
    robot.obey = () => Promise.resolve({ message: 'the tags', result: '{"mission":"m3","site":"north"}' });
    const tags = { mission: 'm3', operator: '' };
    const { status, body } = await give('robot_7/control/set_tags', { tags });
    assert.deepEqual([status, body.tags], [200, { mission: 'm3', site: 'north' }]);
    assert.deepEqual(robot.asked[0]?.tags, tags);
    assert.equal((await world.audit.list(1))[0]?.label, 'mission=m3, operator=');
    for (const wrong of [{ tags: { 'No Name': 'x' } }, { tags: { a: 'two\nlines' } }, { tags: {} }, {}])
      assert.equal((await give('robot_7/control/set_tags', wrong)).status, 400, JSON.stringify(wrong));
    assert.equal(robot.asked.length, 1, 'the ground sends no wrong tag');
    assert.equal((await world.audit.list(10)).length, 1);
  });

  it('is only for an operator, and a refused one is in no log', async () => {
    const viewer = await world.people.add('vera', 'viewer');
    const operator = await world.people.add('otto', 'operator');
    await eventually(async () => (await give('robot_7/control/split')).status === 401, 'a token is needed');
    const before = robot.asked.length;
    assert.equal((await give('robot_7/control/split', {}, viewer)).status, 403);
    assert.equal((await give('robot_7/control/split', {}, operator)).status, 200);
    assert.equal(robot.asked.length, before + 1);
    assert.equal((await world.audit.list(1))[0]?.who, 'otto');
    const page = await fetch(`http://127.0.0.1:${world.port}/api/audit`, {
      headers: { authorization: `Bearer ${viewer}` },
    });
    assert.equal(page.status, 403);
  });

  it('to a robot that is gone says so, and one to a robot that leaves says that it may be done', async () => {
    robot.obey = () => new Promise(() => undefined);
    const waiting = give('robot_7/control/split');
    await eventually(() => robot.asked.length === 1, 'the command');
    await robot[Symbol.asyncDispose]();
    assert.equal((await waiting).status, 504);
    assert.equal((await waiting).body.error?.code, 'ROBOT_DISCONNECTED');
    const gone = await give('robot_7/control/split');
    assert.deepEqual([gone.status, gone.body.error?.code], [503, 'ROBOT_OFFLINE']);
    assert.equal((await give('nobody/control/split')).status, 404);
    const states = (await world.audit.list(10)).map(({ state }) => state);
    assert.deepEqual(states, ['offline', 'disconnected']);
  });

  it('is not sent if the audit log cannot be written', async () => {
    await fs.mkdir(join(world.folder, 'audit.jsonl'));
    const { status, body } = await give('robot_7/control/split');
    assert.equal(status, 409);
    assert.match(body.error?.message ?? '', /the audit log .* cannot be written/);
    assert.equal(robot.asked.length, 0);
  });

  it('stays in the log as asked if the ground died, also after a line that was cut off', async () => {
    await give('robot_7/control/split');
    const path = join(world.folder, 'audit.jsonl');
    const lines = (await fs.readFile(path, 'utf8')).split('\n');
    await fs.writeFile(path, `${lines.slice(0, 2).join('\n')}\n${present(lines[2]).slice(0, 40)}`);
    await give('robot_7/control/pause');
    const entries = await world.audit.list(10);
    assert.deepEqual(
      entries.map(({ command, state }) => [command, state]),
      [
        ['pause', 'done'],
        ['split', 'asked'],
      ],
    );
  });

  it('without an answer times out after 30 s, and a later answer is ignored', async () => {
    const clock = new SimulatedClock();
    const pending = new PendingCommands(clock);
    const outcomes: CommandOutcome[] = [];
    void pending.give(() => undefined).then((outcome) => outcomes.push(outcome));
    await clock.advance(29_000);
    assert.equal(outcomes.length, 0);
    await clock.advance(1_000);
    assert.equal(outcomes[0]?.state, 'timed_out');
    pending.answered(1, { ok: true, code: '', message: '' });
    assert.equal(outcomes.length, 1);
    const all = Array.from({ length: 17 }, () => pending.give(() => undefined));
    assert.match((await present(all[16])).message, /16 commands wait/);
    pending.end();
    assert.equal((await present(all[0])).state, 'disconnected');
  });

  it('is never done twice, and one of a later version is refused', async () => {
    const answers: unknown[] = [];
    let done = 0;
    const answerer = new CommandAnswerer(
      4,
      () => Promise.resolve(`done ${++done}`),
      ({ id, answer }) => answers.push([id, answer.ok, answer.code]),
    );
    answerer.take(1, split);
    answerer.take(1, split);
    answerer.take(2, undefined);
    await eventually(() => answers.length === 2, 'two answers');
    assert.equal(done, 1);
    assert.deepEqual(answers.sort(), [
      [1, true, ''],
      [2, false, 'REQUEST_UNSUPPORTED'],
    ]);
  });

  it('with a window or a label that is not allowed is not read', () => {
    for (const wrong of [{ beforeS: -1 }, { afterS: NaN }, { afterS: 3_601 }, { label: 'x'.repeat(201) }]) {
      const command = { ...split, ...wrong };
      assert.equal(read(command), 'unusable', JSON.stringify(wrong));
    }
  });

  it('with more than 64 tags, or with what is no tag, is not read', () => {
    const tags = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`tag${n}`, 'x']));
    const command = (changes: Record<string, string>): RobotCommand => ({
      ...{ ...split, name: 'set_tags', tags: changes },
    });
    assert.equal(read(command(tags(64))), 'command');
    for (const wrong of [tags(65), { Name: 'x' }, { '': 'x' }, { a: '\n' }, { a: 'x'.repeat(201) }])
      assert.equal(read(command(wrong)), 'unusable');
  });
});
