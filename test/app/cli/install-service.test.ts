import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually, sleep } from '../../../src/testing/waiting.js';
import { runCli, spawnCli } from '../../support/cli.js';

describe('holdfast install-service', function () {
  this.timeout(60_000);
  let folder: string;

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-service-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('names its own data folder in the help', async () => {
    const { stdout } = await runCli(['install-service', '--help']);
    assert.match(stdout, /--data <folder>[^]*?\(default: \/var\/lib\/holdfast\/data\)/);
    assert.doesNotMatch(stdout, /\(default: data\)/);
  });

  it('changes nothing without --apply; with it, writes the unit, and --uninstall removes it', async function () {
    if (process.getuid?.() !== 0) lacking(this, 'root', 'only root can give a folder to a user');
    const config = join(folder, 'params.yaml');
    await fs.writeFile(config, 'holdfast_recorder:\n  ros__parameters:\n    sources: ["sim:"]\n');
    const units = join(folder, 'units');
    const data = join(folder, 'data');
    const args = [
      'install-service',
      '--config',
      config,
      '--data',
      data,
      '--user',
      'root',
      '--unit-dir',
      units,
    ];
    const dry = await runCli([...args, '--no-enable']);
    assert.equal(dry.exitCode, 0, dry.stderr + dry.stdout);
    assert.match(dry.stdout, /^would: write .*holdfast\.service$/m);
    assert.deepEqual(await fs.readdir(folder), ['params.yaml']);

    assert.equal((await runCli([...args, '--no-enable', '--apply'])).exitCode, 0);
    assert.match(await fs.readFile(join(units, 'holdfast.service'), 'utf8'), /^Type=notify$/m);
    assert.equal((await fs.stat(data)).mode & 0o777, 0o750);

    assert.equal((await runCli([...args, '--no-enable', '--uninstall', '--apply'])).exitCode, 0);
    assert.deepEqual(await fs.readdir(units), []);
    assert.ok((await fs.readdir(folder)).includes('data'), 'recordings stay');
  });

  it('exits with 2 for a name or a time that is not allowed, and with 3 without a parameter file', async () => {
    const wrong = await runCli(['install-service', '--name', 'a/b', '--watchdog', '1']);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /--name/);
    assert.match(wrong.stderr, /--watchdog/);
    const missing = await runCli(['install-service', '--unit-dir', folder, '--user', 'root', '--ros']);
    assert.equal(missing.exitCode, 3);
    assert.match(missing.stdout, /params\.yaml does not exist/);
  });

  it('makes units that work: a recorder says that it is ready and alive, until it hangs', async function () {
    if (!hasNotify()) lacking(this, 'systemd', 'systemd-notify is not installed');
    const socket = join(folder, 'notify');
    // Node.js has no datagram sockets of the Unix domain.
    const listen = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(sys.argv[1]);print('bound',flush=True)
while True: print(s.recv(4096).decode(),flush=True)`;
    const listener = spawn('/usr/bin/python3', ['-c', listen, socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let heard = '';
    listener.stdout.setEncoding('utf8').on('data', (text: string) => (heard += text));
    const alive = (): number => heard.split('WATCHDOG=1').length - 1;
    await eventually(() => heard.includes('bound'), 'the socket is there');
    const env = { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1500000' };
    const args = [
      'up',
      '--source',
      'sim:?robots=1',
      '--data',
      join(folder, 'rec'),
      '--no-web',
      '--no-foxglove',
    ];
    await fs.mkdir(join(folder, 'store'));
    const service = spawnCli([...args, '--store', `dir:${join(folder, 'store')}`], { env });
    try {
      await eventually(() => heard.includes('READY=1'), 'the service is ready');
      await eventually(() => alive() >= 2, 'the watchdog gets messages');
      const recorder = childOf(service.child.pid ?? 0, 'record');
      process.kill(recorder, 'SIGSTOP');
      const before = alive();
      await sleep(3_000);
      // One message may have been under way.
      assert.ok(alive() <= before + 1, heard);
      process.kill(recorder, 'SIGCONT');
      service.child.kill('SIGTERM');
      assert.equal((await service.ended).exitCode, 0);
      await eventually(() => heard.includes('STOPPING=1'), 'the service says that it ends');
    } finally {
      service.child.kill('SIGKILL');
      listener.kill('SIGKILL');
    }
  });
});

function hasNotify(): boolean {
  try {
    execFileSync('systemd-notify', ['--version']);
    return true;
  } catch {
    return false;
  }
}

/** The child process whose command line has a word. */
function childOf(parent: number, word: string): number {
  const lines = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(parent)], { encoding: 'utf8' });
  const found = lines.split('\n').find((line) => line.split(' ').includes(word));
  return Number(found?.trim().split(' ')[0]);
}
