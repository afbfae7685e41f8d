// Runs the tests as an ordinary user on a machine where this run is root's: in a copy of the checkout that belongs to
// the user, with a home of its own. What only root may do (mounts, packages) the tests skip, and .ci/lacks.mjs states.
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `nobody`: a user without rights and without a home, which every Linux has. */
const USER_ID = 65_534;
/** The PATH that Debian gives an ordinary user, after the folder of this Node.js. */
const USER_PATH = '/usr/local/bin:/usr/bin:/bin';
/** Left out of the copy: history, and what runs leave behind. */
const NOT_COPIED = new Set(['.git', 'bench-results', 'data', 'demo-data', 'test-output', 'log']);

const root = fileURLToPath(new URL('..', import.meta.url));

/** Of files that show a difference between users: what is nearest to programs, permissions and the disk. */
export const ordinaryShort = { first: ['bin', 'host', 'stores', 'seal', 'wal'], budgetMs: 90_000 };

export const isRoot = () => process.getuid?.() === 0;

/** Starts `bin/test.mjs` with the arguments as an ordinary user, and returns its exit code. Only root can. */
export async function testAsOrdinaryUser(args) {
  const base = mkdtempSync(join(tmpdir(), 'holdfast-user-'));
  try {
    const checkout = copyCheckout(base);
    const user = { cwd: checkout, uid: USER_ID, gid: USER_ID, env: environment(base) };
    console.log(`tests as user ${USER_ID} in ${checkout}`);
    // What root's run states does not hold for this user.
    if (process.env.HOLDFAST_TEST_LACKS !== undefined) {
      const { stdout } = spawnSync(process.execPath, [join('.ci', 'lacks.mjs')], {
        ...user,
        encoding: 'utf8',
      });
      user.env.HOLDFAST_TEST_LACKS = stdout.trim();
      console.log(`this user lacks: ${user.env.HOLDFAST_TEST_LACKS || 'nothing'}`);
    }
    const code = await run(process.execPath, [join('bin', 'test.mjs'), ...args], user);
    passOn(user.env.HOLDFAST_TEST_TALLY);
    return code;
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** A copy that belongs to the user: tests write into their checkout, and the user may not enter ours. */
function copyCheckout(base) {
  chmodSync(base, 0o711);
  const checkout = join(base, 'holdfast');
  for (const path of [checkout, join(base, 'home')]) mkdirSync(path);
  const names = readdirSync(root).filter((name) => !NOT_COPIED.has(name));
  mustRun('cp', ['-a', ...names.map((name) => join(root, name)), checkout]);
  mustRun('chown', ['-R', '-h', `${USER_ID}:${USER_ID}`, checkout, join(base, 'home')]);
  return checkout;
}

/** As after a login, with the settings of the tests and of a sourced ROS 2. */
function environment(base) {
  const kept = Object.entries(process.env).filter(([name]) =>
    /^(HOLDFAST_TEST_(RMW|LACKS)|NO_COLOR|LANG|LC_.*|AMENT_.*|COLCON_.*|ROS_.*|RMW_.*|PYTHONPATH|LD_LIBRARY_PATH|npm_config_registry)$/.test(
      name,
    ),
  );
  const home = join(base, 'home');
  return {
    ...Object.fromEntries(kept),
    ...{ HOME: home, USER: 'nobody', LOGNAME: 'nobody' },
    PATH: `${join(process.execPath, '..')}:${USER_PATH}`,
    ...(process.env.HOLDFAST_TEST_TALLY === undefined ? {} : { HOLDFAST_TEST_TALLY: join(home, 'tally') }),
  };
}

/** The user cannot write to the tally of root. */
function passOn(tally) {
  if (tally === undefined || !existsSync(tally)) return;
  appendFileSync(process.env.HOLDFAST_TEST_TALLY, readFileSync(tally));
}

function mustRun(command, args) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${command} failed`);
}

function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
