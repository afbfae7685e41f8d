import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import type { SftpEnvironment } from '../../src/stores/sftp/sftp-access.js';
import { eventually } from '../../src/testing/waiting.js';
import { freePort } from './free-port.js';

const START_TIMEOUT_MS = 20_000;

/** Where the program is; undefined: it is not installed. */
export function findSshd(): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', 'command -v sshd'], { encoding: 'utf8' });
  return stdout.trim() === '' ? undefined : stdout.trim();
}

/** A real OpenSSH server on loopback with keys of its own, and a wire that can be cut. */
export class Sshd implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();

  private constructor(
    readonly home: string,
    /** Of the wire that leads to the server. */
    readonly port: number,
    readonly fingerprint: string,
    readonly child: ChildProcess,
    readonly wire: Server,
  ) {
    wire.on('connection', (socket: Socket) => this.#sockets.add(socket));
  }

  static async start(program: string): Promise<Sshd> {
    const home = await mkdtemp(join(tmpdir(), 'holdfast-sshd-'));
    // The server wants it, and Debian makes it with the service only.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
    for (const name of ['host', 'user', 'stranger']) makeKey(join(home, name));
    const authorized = join(home, 'authorized_keys');
    await writeFile(authorized, await readFile(join(home, 'user.pub')));
    await chmod(authorized, 0o600);
    const port = await freePort();
    const config = [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(home, 'host')}`,
      `AuthorizedKeysFile ${authorized}`,
      ...['PidFile none', 'UsePAM no', 'StrictModes no', 'PasswordAuthentication no'],
      ...['PermitRootLogin prohibit-password', 'Subsystem sftp internal-sftp', 'MaxStartups 100'],
    ];
    await writeFile(join(home, 'config'), `${config.join('\n')}\n`);
    const child = spawn(program, ['-D', '-e', '-f', join(home, 'config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (data: Buffer) => (said = `${said}${data.toString()}`.slice(-4_000)));
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`sshd does not start: ${said}`);
        return /Server listening/.test(said);
      },
      'sshd',
      START_TIMEOUT_MS,
    );
    const { wire, port: outer } = await openWire(port);
    const blob = Buffer.from(
      present((await readFile(join(home, 'host.pub'), 'utf8')).split(' ')[1]),
      'base64',
    );
    const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
    return new Sshd(home, outer, fingerprint, child, wire);
  }

  /** The URI of a folder. */
  uri(folder: string, hostKey = this.fingerprint): string {
    const query = new URLSearchParams({ user: userInfo().username, host_key: hostKey, timeout_ms: '20000' });
    return `sftp://127.0.0.1:${this.port}${folder}?${query.toString()}`;
  }

  /** The key of the user, or of somebody whom the server does not know. */
  environment(who: 'user' | 'stranger' = 'user'): SftpEnvironment {
    return { SFTP_KEY_FILE: join(this.home, who) };
  }

  /** Ends every connection in the middle of what it does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.wire.close();
    this.child.kill('SIGKILL');
    await rm(this.home, { recursive: true, force: true });
  }
}

function makeKey(path: string): void {
  const { status, stderr } = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ssh-keygen failed: ${stderr}`);
}

/** Passes bytes on in both directions. */
async function openWire(port: number): Promise<{ readonly wire: Server; readonly port: number }> {
  const outer = await freePort();
  const wire = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on('error', end).on('close', end);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => wire.listen(outer, '127.0.0.1', resolve));
  return { wire, port: outer };
}
