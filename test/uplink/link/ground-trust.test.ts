import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { readTrust, type GroundTrust } from '../../../src/uplink/link/ground-trust.js';
import { NatsTransport } from '../../../src/uplink/link/nats-transport.js';
import type { UplinkTransport } from '../../../src/uplink/link/uplink-transport.js';
import { WebSocketTransport } from '../../../src/uplink/link/websocket-transport.js';
import { Certificates } from '../../support/certificates.js';
import { NatsServer } from '../../support/nats.js';
import { startNatsReception } from './nats-world.js';
import { End, transportContract } from './transport-contract.js';
import { startReception } from './websocket-world.js';

const never = new AbortController().signal;
const anybody = { admit: () => Promise.resolve('robot_7'), accept: () => new End() };
const ELSEWHERE = 'DNS:ground.example';
const HERE = 'IP:127.0.0.1';

describe('The certificate of a ground', function () {
  this.timeout(30_000);
  let folder: string;
  let certificates: Certificates;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-trust-'));
    certificates = new Certificates(folder);
    certificates.selfSigned('own', ELSEWHERE);
    certificates.selfSigned('other', ELSEWHERE);
    certificates.authority('authority');
    certificates.signed('elsewhere', ELSEWHERE, 'authority');
    certificates.signed('here', HERE, 'authority');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const trustIn = (name: string): GroundTrust => {
    const path = certificates.path(name);
    return { path, read: () => readFile(path) };
  };

  /** Connects once. Resolves with why not; undefined: the robot is connected. */
  async function faultOf(transport: UplinkTransport): Promise<string | undefined> {
    try {
      (await transport.connect(new End(), never)).close('enough');
      return undefined;
    } catch (error) {
      assert.ok(isHoldfastError(error, 'GROUND_UNTRUSTED'), String(error));
      return `${error.message}: ${(error.cause as Error).message}`;
    }
  }

  async function connects(served: string, trust: GroundTrust | undefined): Promise<string | undefined> {
    const ground = await startReception(anybody, certificates.files(served));
    try {
      return await faultOf(new WebSocketTransport(`wss://127.0.0.1:${ground.port}`, 't', systemClock, trust));
    } finally {
      await ground.stop();
    }
  }

  transportContract('the WebSocket over TLS', async (ground) => {
    const running = await startReception(ground, certificates.files('own'));
    const url = `wss://127.0.0.1:${running.port}`;
    return {
      ...running,
      transport: (token) => new WebSocketTransport(url, token, systemClock, trustIn('own')),
    };
  });

  it('is trusted if the file has it, whatever its names and its issuer are', async () => {
    assert.equal(await connects('own', trustIn('own')), undefined);
    assert.equal(await connects('elsewhere', trustIn('elsewhere')), undefined);
  });

  it('is refused if the file has another one, also of the same name or of the same authority', async () => {
    const refused = await connects('other', trustIn('own'));
    assert.match(
      String(refused),
      /certificate of wss:\S+ is not trusted by ground.certificate_file \S+own\.pem: self/,
    );
    assert.match(String(await connects('here', trustIn('elsewhere'))), /is not trusted by .*unable to/);
  });

  it('is trusted if an authority of the file has signed it, and if it has the name of the ground', async () => {
    assert.equal(await connects('here', trustIn('authority')), undefined);
    const refused = await connects('elsewhere', trustIn('authority'));
    assert.match(String(refused), /is not trusted by .*authority\.pem: .*127\.0\.0\.1/);
  });

  it('is refused without a file if the system does not know it', async () => {
    const refused = await connects('own', undefined);
    assert.match(
      String(refused),
      /this system, and ground.certificate_file is not set: self-signed certificate/,
    );
  });

  it('may be one of several in the file, and the file is read again at each connection', async () => {
    const path = join(folder, 'changing.pem');
    const trust = { path, read: () => readFile(path) };
    const both = await Promise.all(['own', 'other'].map((name) => readFile(certificates.path(name), 'utf8')));
    await writeFile(path, `# ours\n${both.join('')}`);
    const ground = await startReception(anybody, certificates.files('other'));
    const transport = new WebSocketTransport(`wss://127.0.0.1:${ground.port}`, 't', systemClock, trust);
    assert.equal(await faultOf(transport), undefined);
    await copyFile(certificates.path('own'), path);
    assert.match(String(await faultOf(transport)), /is not trusted by/);
    await copyFile(certificates.path('other'), path);
    assert.equal(await faultOf(transport), undefined);
    await ground.stop();
  });

  it('is refused with the reason if the file is not there, is empty, or is damaged', async () => {
    const read = (text: string) =>
      readTrust({ path: 'x.pem', read: () => Promise.resolve(Buffer.from(text)) });
    await assert.rejects(
      read(certificates.files('own').key),
      /x\.pem has no certificate, allowed: certificates as PEM/,
    );
    const damaged = certificates.files('own').cert.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA');
    await assert.rejects(
      read(certificates.files('other').cert + damaged),
      /x\.pem: certificate 2 cannot be read/,
    );
    const missing = { path: 'y.pem', read: () => Promise.reject(new Error('ENOENT')) };
    await assert.rejects(readTrust(missing), /y\.pem cannot be read/);
  });

  it('is compared over NATS, too', async () => {
    const key = `key_file: "${certificates.path('own', 'key')}"`;
    const tls = { ca: certificates.files('own').cert, checkServerIdentity: () => undefined };
    const server = await NatsServer.start(`tls { cert_file: "${certificates.path('own')}", ${key} }`, {
      tls,
    });
    try {
      const trust = await readTrust(trustIn('own'));
      const ground = await startNatsReception(server, anybody, trust);
      const ports = { clock: systemClock, random: randomBytes };
      const transport = (name: string): UplinkTransport =>
        new NatsTransport(`natss://${server.address}`, 'robot_7:t', ports, { trust: trustIn(name) });
      assert.equal(await faultOf(transport('own')), undefined);
      assert.match(
        String(await faultOf(transport('other'))),
        /natss:\S+ is not trusted by .*other\.pem: self-signed/,
      );
      await ground.stop();
    } finally {
      await server.stop();
    }
  });
});
