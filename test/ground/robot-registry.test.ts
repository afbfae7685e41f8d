import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { RobotRegistry } from '../../src/ground/robot-registry.js';
import { systemClock } from '../../src/host/system-clock.js';

describe('The registry of a ground', () => {
  let folder: string;
  let registry: RobotRegistry;
  const open = (): RobotRegistry =>
    new RobotRegistry(folder, { fs, clock: systemClock, random: randomBytes });

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-ground-'));
    registry = open();
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('admits a robot by its token, also after a restart', async () => {
    const token = await registry.enrol('robot_7');
    assert.equal(await registry.admit(token), 'robot_7');
    assert.equal(await open().admit(token), 'robot_7');
    assert.deepEqual(await registry.list(), ['robot_7']);
  });

  it('keeps no token, only its hash', async () => {
    const token = await registry.enrol('robot_7');
    const secret = token.slice('robot_7:'.length);
    assert.ok(secret.length >= 43);
    const text = await fs.readFile(join(folder, 'robots', 'robot_7.json'), 'utf8');
    assert.ok(!text.includes(secret));
  });

  it('does not admit a token of another robot, a changed one, or none', async () => {
    const token = await registry.enrol('robot_7');
    await registry.enrol('robot_8');
    const secret = token.slice('robot_7:'.length);
    for (const other of [
      `robot_8:${secret}`,
      `${token}x`,
      secret,
      'robot_7',
      'robot_7:',
      ':',
      '',
      '../x:y',
      'nobody:x',
    ]) {
      assert.equal(await registry.admit(other), undefined, other);
    }
  });

  it('does not admit a token that was revoked or replaced', async () => {
    const first = await registry.enrol('robot_7');
    const second = await registry.enrol('robot_7');
    assert.equal(await registry.admit(first), undefined);
    assert.equal(await registry.admit(second), 'robot_7');
    assert.equal(await registry.revoke('robot_7'), true);
    assert.equal(await registry.admit(second), undefined);
    assert.equal(await registry.revoke('robot_7'), false);
    assert.deepEqual(await registry.list(), []);
  });

  it('takes no name that is not a file name', async () => {
    for (const name of ['', '.', '..', '.hidden', 'a/b', 'a b', '../../x', 'x'.repeat(65), 'größe', 'a:b']) {
      await assert.rejects(registry.enrol(name), (error) => isHoldfastError(error, 'REQUEST_INVALID'), name);
    }
    for (const name of ['robot_7', 'R-1', 'robot.7', 'x'.repeat(64)]) {
      assert.equal(await registry.admit(await registry.enrol(name)), name);
    }
  });

  it('gives each connection a larger epoch, at once, after a restart and after the token changed', async () => {
    await registry.enrol('robot_7');
    const at_once = await Promise.all([1, 2, 3].map(() => registry.nextEpoch('robot_7')));
    assert.deepEqual(at_once, [1, 2, 3]);
    assert.equal(await open().nextEpoch('robot_7'), 4);
    await registry.revoke('robot_7');
    await registry.enrol('robot_7');
    assert.equal(await registry.nextEpoch('robot_7'), 5);
    assert.equal(await registry.nextEpoch('robot_8'), 1);
  });

  it('gives no epoch if the last one cannot be read, because an old one would return', async () => {
    await registry.nextEpoch('robot_7');
    const path = join(folder, 'epochs', 'robot_7.json');
    for (const text of [
      '',
      'x',
      '{"format":"holdfast-ground-epoch","version":2,"epoch":4}',
      '{"epoch":-1}',
    ]) {
      await fs.writeFile(path, text);
      await assert.rejects(registry.nextEpoch('robot_7'), (error) => isHoldfastError(error), text);
    }
    await fs.writeFile(path, '{"format":"holdfast-ground-epoch","version":1,"epoch":9}');
    assert.equal(await registry.nextEpoch('robot_7'), 10);
  });

  it('does not admit a robot whose file is damaged, and says so', async () => {
    const token = await registry.enrol('robot_7');
    await fs.writeFile(join(folder, 'robots', 'robot_7.json'), '{"version":1}');
    await assert.rejects(registry.admit(token), /enrolled robot/);
  });
});
