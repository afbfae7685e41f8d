import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import type { RobotView } from '../../../src/ground/robot-state.js';
import type { TrialView } from '../../../src/ground/trial-routes.js';
import { eventually } from '../../../src/testing/waiting.js';
import { Certificates } from '../../support/certificates.js';
import { jsonOf, runCli, type CliProcess } from '../../support/cli.js';
import { cliSuite } from '../../support/cli-suite.js';

describe('The bundled fleet of a ground', function () {
  this.timeout(240_000);
  let folder: string;
  let certificates: Certificates;
  const start = cliSuite('trial', (made) => {
    folder = made;
    certificates = new Certificates(folder);
  });

  class Ground {
    readonly process: CliProcess;
    /** The certificate that a question trusts, as PEM; empty: no TLS. */
    certificate = '';

    constructor(...args: string[]) {
      const place = ['--data', join(folder, 'ground'), '--listen', '127.0.0.1:0', '--database', 'none'];
      this.process = start('ground', ...place, ...args);
    }

    get port(): number {
      return Number(present(/ port=(\d+)/.exec(this.process.output()))[1]);
    }

    ask<T>(method: string, path: string): Promise<T> {
      const options = { host: '127.0.0.1', port: this.port, method, path };
      const asked =
        this.certificate === ''
          ? plainRequest(options)
          : tlsRequest({ ...options, ca: this.certificate, checkServerIdentity: () => undefined });
      return new Promise((resolve, reject) => {
        asked.on('response', (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('end', () => resolve(JSON.parse(body) as T));
        });
        asked.on('error', reject).end();
      });
    }

    async view(): Promise<TrialView> {
      return present((await this.ask<{ fleet?: TrialView }>('GET', '/api/trial')).fleet);
    }

    async robots(): Promise<readonly RobotView[]> {
      return (await this.ask<{ robots: RobotView[] }>('GET', '/api/robots')).robots;
    }

    give(action: string): Promise<TrialView> {
      return this.ask('POST', `/api/trial/${action}`);
    }

    async haveConnected(count: number, what: string): Promise<void> {
      const now = async (): Promise<number> =>
        (await this.robots()).filter((one) => one.connected && one.samples > 0).length;
      await eventually(async () => (await now()) === count, what, 90_000);
    }
  }

  it('plays, loses its links and gets them back, and leaves nothing behind', async () => {
    const ground = new Ground();
    await ground.process.waitFor(/listens.* port=\d+/);
    assert.equal((await ground.view()).state, 'stopped');
    await ground.give('play');
    await ground.haveConnected(5, 'five vehicles');
    await eventually(async () => {
      const vins = (await ground.robots()).map(({ vin }) => vin).filter((vin) => vin !== '');
      return new Set(vins).size === 5;
    }, 'each has an identity of its own');
    await ground.give('cut');
    await ground.haveConnected(0, 'no vehicle is connected');
    await eventually(async () => {
      const { lines } = await ground.view();
      return lines.some(({ text }) => /^try_suv_1 .*out of reach/.test(text));
    }, 'a vehicle says that it is cut off');
    const { isCut, robots } = await ground.view();
    assert.deepEqual([isCut, robots.length], [true, 5]);
    await ground.give('mend');
    await ground.haveConnected(5, 'they are back');
    await ground.give('stop');
    await eventually(async () => (await ground.view()).state === 'stopped', 'they have ended', 30_000);
    const list = await runCli(['ground', 'robots', '--data', join(folder, 'ground'), '--json']);
    assert.deepEqual(jsonOf(list)['robots'], []);
    ground.process.child.kill('SIGTERM');
    assert.equal((await ground.process.ended).exitCode, 0);
  });

  /** What the ground serves from now on: a certificate, with those that have signed it. */
  async function serve(name: string, ...signers: string[]): Promise<void> {
    await copyFile(certificates.path(name, 'key'), certificates.path('served', 'key'));
    const chain = [name, ...signers].map((one) => certificates.files(one).cert);
    await writeFile(certificates.path('served'), chain.join(''));
  }

  it('trusts the certificate of a ground with TLS, whatever names it has, and its renewed one', async () => {
    certificates.selfSigned('first', 'DNS:ground.example');
    certificates.authority('authority');
    certificates.signed('renewed', 'DNS:ground.example', 'authority');
    await serve('first');
    const tls = ['--tls-cert', certificates.path('served'), '--tls-key', certificates.path('served', 'key')];
    const ground = new Ground(...tls, '--try-it');
    await ground.process.waitFor(/listens.* port=\d+/);
    ground.certificate = certificates.files('first').cert;
    await ground.give('play');
    await ground.haveConnected(5, 'five vehicles over TLS');
    const { lines } = await ground.view();
    assert.ok(!lines.some(({ text }) => text.includes('is not trusted')), JSON.stringify(lines));
    await ground.give('cut');
    await ground.haveConnected(0, 'no vehicle is connected');
    await serve('renewed', 'authority');
    await ground.process.waitFor(/another certificate is used/);
    ground.certificate = certificates.files('authority').cert;
    await ground.give('mend');
    await ground.haveConnected(5, 'they trust the renewed certificate');
    await ground.give('stop');
    await eventually(async () => (await ground.view()).state === 'stopped', 'they have ended', 30_000);
  });

  it('is no robot with another certificate: that one records, says why, and connects once it has the right one', async () => {
    certificates.selfSigned('own', 'DNS:ground.example');
    certificates.selfSigned('other', 'DNS:ground.example');
    const tls = ['--tls-cert', certificates.path('own'), '--tls-key', certificates.path('own', 'key')];
    const ground = new Ground(...tls);
    await ground.process.waitFor(/listens.* port=\d+/);
    ground.certificate = certificates.files('own').cert;
    const enrolled = await runCli(['ground', 'enrol', 'vehicle1', '--data', join(folder, 'ground')]);
    const [tokens, trusted] = [join(folder, 'tokens'), join(folder, 'trusted.pem')];
    await writeFile(tokens, enrolled.stdout, { mode: 0o600 });
    await copyFile(certificates.path('other'), trusted);
    const recorder = start(
      ...['record', '--source', 'csv:bundled?vehicles=1', '--data', join(folder, 'rec')],
      ...['--ground-url', `wss://127.0.0.1:${ground.port}`, '--ground-token-file', tokens],
      ...['--ground-certificate-file', trusted, '--no-foxglove', '--no-web'],
    );
    await recorder.waitFor(
      /certificate of wss:\S+ is not trusted by ground\.certificate_file \S+trusted\.pem/,
    );
    await recorder.waitFor(/[1-9]\d* durable/);
    assert.deepEqual(await ground.robots(), [], 'nothing was sent');
    await copyFile(certificates.path('own'), trusted);
    await ground.haveConnected(1, 'the robot');
  });
});
