import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { matchesSubject, durablesOf } from '../../../src/sources/nats/consumers.js';
import { readNatsUri } from '../../../src/sources/nats/nats-options.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';

const read = (uri: string) => readNatsUri(parseSourceUri(uri));
const plain = '?stream=LOGS&durable=holdfast';

function faultsOf(uri: string): string {
  try {
    read(uri);
  } catch (error) {
    assert.ok(isHoldfastError(error, 'CONFIG_INVALID'), String(error));
    return error.message;
  }
  throw new Error(`${uri} was accepted`);
}

describe('A nats: URI', () => {
  it('has defaults for all but the stream and the durable', () => {
    const options = read(`nats://localhost${plain}`);
    assert.deepEqual(options, {
      servers: ['localhost:4222'],
      login: { kind: 'none' },
      tls: undefined,
      stream: 'LOGS',
      durable: 'holdfast',
      subjects: [],
      deliver: 'all',
      ackWaitMs: 60_000,
      maxAckPending: 20_000,
      pullBytes: 8 * 1024 * 1024,
      maxMessageBytes: 64 * 1024 * 1024,
      deadLetter: 'logging.events.dead',
      alert: 'logging.alerts',
      robotFrom: 'topic',
    });
  });

  it('names one server or several, with or without who one is', () => {
    assert.deepEqual(read(`nats://a:1,b,[::1]:2${plain}`).servers, ['a:1', 'b:4222', '[::1]:2']);
    assert.deepEqual(read(`nats://me:pa%3Ass@a${plain}`).login, {
      kind: 'password',
      user: 'me',
      password: 'pa:ss',
    });
    assert.deepEqual(read(`nats://tok@a${plain}`).login, { kind: 'token', token: 'tok' });
    assert.deepEqual(read(`nats://a${plain}&creds=/f.creds`).login, { kind: 'creds-file', path: '/f.creds' });
    assert.deepEqual(read(`nats://a${plain}&user=u&password_file=/p`).login, {
      kind: 'password-file',
      user: 'u',
      path: '/p',
    });
    assert.deepEqual(read(`nats://a${plain}&ca=/ca.pem`).tls, { ca: '/ca.pem' });
    assert.deepEqual(read(`nats://a${plain}&tls=yes`).tls, {});
  });

  it('is refused with everything that is wrong at once', () => {
    const message = faultsOf(
      'nats://t@h?durable=a.b&subjects=x..y&ack_wait=2h&pull_mb=0&cert=c&creds=f&token_file=g&user=u&nope=1' +
        '&dead_letter=a.*&deliver=some',
    );
    for (const part of [
      'stream: has to be given',
      'durable: "a.b"',
      'subjects: "x..y"',
      'ack_wait: has to be from 1s to 1h',
      'pull_mb: "0"',
      'cert, key: either both',
      'the credentials in the address, creds, token_file: only one',
      'user, password_file: either both',
      'nope: unknown option',
      'dead_letter: "a.*"',
      'deliver: "some"',
    ]) {
      assert.ok(message.includes(part), `${part}\n${message}`);
    }
    assert.match(faultsOf(`nats://h${plain}&tls=no&ca=f`), /tls: "no"/);
    assert.match(faultsOf(`nats://h${plain}&dead_letter=x&alert=x`), /the same subject/);
  });

  it('is not an address without a host, or with an invalid port', () => {
    for (const address of [
      'nats:',
      'nats://',
      'nats:host',
      'nats://h:0',
      'nats://h:70000',
      'nats://h/x',
      'nats://a,,b',
    ]) {
      assert.throws(
        () => read(`${address}${plain}`),
        (error) => isHoldfastError(error, 'SOURCE_UNKNOWN'),
      );
    }
  });

  it('never shows a secret, also in the wrong option', () => {
    const shown = (uri: string): string => parseSourceUri(uri).text;
    assert.equal(shown(`nats://tok@h${plain}`), `nats://***@h${plain}`);
    assert.equal(shown(`nats://me:pw@h,g${plain}`), `nats://me:***@h,g${plain}`);
    assert.equal(shown(`nats://h${plain}&token=tok&x=1`), `nats://h${plain}&token=***&x=1`);
    assert.doesNotMatch(faultsOf(`nats://h${plain}&password=hush`), /hush/);
  });

  it('has one durable for one subject or none, and one for each of several, whatever their order', () => {
    const names = (subjects: string) =>
      durablesOf(read(`nats://h${plain}${subjects}`)).map(({ name }) => name);
    assert.deepEqual([names(''), names('&subjects=a.>')], [['holdfast'], ['holdfast']]);
    assert.deepEqual(names('&subjects=a.b,a.c').sort(), names('&subjects=a.c,a.b').sort());
    assert.equal(new Set(names('&subjects=a.b,a.c')).size, 2);
  });

  it('matches subjects as the server does', () => {
    const cases: [string, string, boolean][] = [
      ['a.b', 'a.b', true],
      ['a.*', 'a.b', true],
      ['a.*', 'a.b.c', false],
      ['a.>', 'a.b.c', true],
      ['a.>', 'a', false],
      ['>', 'a', true],
      ['a.b.c', 'a.b', false],
    ];
    for (const [pattern, subject, expected] of cases) {
      assert.equal(matchesSubject(pattern, subject), expected, `${pattern} ${subject}`);
    }
  });
});
