import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EncryptionFacts } from '../../src/core/encryption-facts.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { decryptAll } from '../../src/encryption/decrypted-readable.js';
import { factsOf, newContentKey } from '../../src/encryption/encrypted-content.js';
import { encodeKey } from '../../src/encryption/key-text.js';
import { openDataKey } from '../../src/encryption/keyring.js';
import { newIdentity, recipientOf, type Identity } from '../../src/encryption/wrapped-key.js';
import { lacking } from '../../src/testing/lacking.js';
import { pythonWith } from '../support/python-packages.js';
import { encrypted, plainOf, streamed } from './made-content.js';

/** Written from docs/encryption.md alone, with Python's cryptography instead of OpenSSL's functions of Node.js. */
const PEER = String.raw`
import base64, hashlib, json, os, struct, sys
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

def derive(key, salt, purpose, more=b'', length=32):
    info = b'holdfast encryption 1 ' + purpose.encode() + more
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)

def key_of(text):
    prefix, body = text.split('_', 1)
    raw = base64.urlsafe_b64decode(body)
    assert hashlib.sha256(prefix.encode() + raw[:32]).digest()[:4] == raw[32:]
    return raw[:32]

def raw_public(key):
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)

ZERO = bytes(12)

def nonce(i, last):
    return i.to_bytes(11, 'big') + bytes([last])

def decrypt(folder, facts, identity):
    key_id = bytes.fromhex(facts['keyId'])
    for wrapped in facts['keys']:
        if wrapped['type'] == 'X25519' and identity.startswith('hfsec1_'):
            secret = X25519PrivateKey.from_private_bytes(key_of(identity))
            theirs = base64.b64decode(wrapped['ephemeral'])
            shared = secret.exchange(X25519PublicKey.from_public_bytes(theirs))
            wrap = derive(shared, theirs + raw_public(secret.public_key()), 'wrap X25519', key_id)
            break
        if wrapped['type'] == 'symmetric' and identity.startswith('hfkey1_'):
            wrap = derive(key_of(identity), base64.b64decode(wrapped['salt']), 'wrap symmetric', key_id)
            break
    data_key = AESGCM(wrap).decrypt(ZERO, base64.b64decode(wrapped['wrapped']), b'')
    assert derive(data_key, b'', 'key id', length=16) == key_id
    file = open(folder + '/file.enc', 'rb').read()
    assert file[:8] == b'\x89HFENC\r\n' and file[9] == 1 and file[8] == facts['version']
    length, clear = {1: (120, 72), 2: (80, 64)}[file[8]]
    header = file[:length]
    chunk = 1 << header[10]
    salt = header[32:64]
    digest = AESGCM(derive(data_key, salt, 'header')).decrypt(ZERO, header[clear:], header[:clear])
    payload = AESGCM(derive(data_key, salt, 'payload', header))
    plain, at, i = b'', length, 0
    while True:
        part = file[at:at + chunk + 16]
        at += len(part)
        last = at == len(file)
        plain += payload.decrypt(nonce(i, last), part, b'')
        i += 1
        if last:
            break
    assert len(plain) == facts['plainBytes']
    if file[8] == 1:
        assert len(plain) == struct.unpack('<Q', header[64:72])[0] and hashlib.sha256(plain).digest() == digest
    else:
        assert digest == b''
    open(folder + '/plain', 'wb').write(plain)

def encrypt(folder, recipient, symmetric, version):
    plain = open(folder + '/plain', 'rb').read()
    data_key, salt = os.urandom(32), os.urandom(32)
    key_id = derive(data_key, b'', 'key id', length=16)
    public = key_of(recipient)
    ephemeral = X25519PrivateKey.generate()
    ours = raw_public(ephemeral.public_key())
    wrap = derive(ephemeral.exchange(X25519PublicKey.from_public_bytes(public)), ours + public, 'wrap X25519', key_id)
    b64 = lambda x: base64.b64encode(x).decode()
    x = {'type': 'X25519', 'recipient': recipient, 'ephemeral': b64(ours),
         'wrapped': b64(AESGCM(wrap).encrypt(ZERO, data_key, b''))}
    s_salt, key = os.urandom(16), key_of(symmetric)
    name = 'key:' + derive(key, b'', 'key name', length=8).hex()
    wrap = derive(key, s_salt, 'wrap symmetric', key_id)
    s = {'type': 'symmetric', 'recipient': name, 'salt': b64(s_salt),
         'wrapped': b64(AESGCM(wrap).encrypt(ZERO, data_key, b''))}
    clear = b'\x89HFENC\r\n' + bytes([version, 1, 14, 0, 0, 0, 0, 0]) + key_id + salt
    if version == 1:
        clear += struct.pack('<Q', len(plain))
    digest = hashlib.sha256(plain).digest() if version == 1 else b''
    header = clear + AESGCM(derive(data_key, salt, 'header')).encrypt(ZERO, digest, clear)
    payload = AESGCM(derive(data_key, salt, 'payload', header))
    size = 1 << 14
    chunks = [plain[at:at + size] for at in range(0, len(plain), size)] or [b'']
    out = header
    for i, one in enumerate(chunks):
        out += payload.encrypt(nonce(i, i == len(chunks) - 1), one, b'')
    open(folder + '/file.enc', 'wb').write(out)
    print(json.dumps({'version': version, 'keyId': key_id.hex(), 'plainBytes': len(plain), 'keys': [x, s]}))

command = json.load(sys.stdin)
if command['do'] == 'decrypt':
    decrypt(command['folder'], command['facts'], command['identity'])
else:
    encrypt(command['folder'], command['recipient'], command['symmetric'], command['version'])
`;

describe('A second implementation, in Python', function () {
  this.timeout(60_000);
  let python: string;
  let folder: string;
  const ann = newIdentity();
  const shared: Identity = { kind: 'symmetric', key: randomBytes(32) };
  const identities = [
    [ann, encodeKey('identity', ann.kind === 'x25519' ? ann.secretKey : ann.key)],
    [shared, encodeKey('symmetric', shared.key)],
  ] as const;

  before(async function () {
    const found = pythonWith(['cryptography']);
    if ('missing' in found) lacking(this, 'python', `Python has no cryptography: ${found.missing}`);
    python = found.path;
    folder = await mkdtemp(join(tmpdir(), 'holdfast-encryption-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function peer(command: object): string {
    const input = JSON.stringify({ ...command, folder });
    const { status, stdout, stderr } = spawnSync(python, ['-c', PEER], { input, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  }

  for (const size of [0, 1, 65_536, 200_000]) {
    it(`decrypts a file of ${size} bytes that Holdfast encrypted, of each version and by each kind of key`, async () => {
      const plain = plainOf(size);
      for (const version of [1, 2] as const) {
        const key = newContentKey(randomBytes);
        const file = version === 1 ? await encrypted(plain, key) : streamed(plain, key);
        await writeFile(join(folder, 'file.enc'), file);
        const facts = factsOf(key, size, [recipientOf(ann), recipientOf(shared)], randomBytes, version);
        for (const [, identity] of identities) {
          await rm(join(folder, 'plain'), { force: true });
          peer({ do: 'decrypt', facts, identity });
          assert.ok((await readFile(join(folder, 'plain'))).equals(plain));
        }
      }
    });
  }

  it('encrypts files of each version, with another size of chunks, that Holdfast decrypts', async () => {
    const recipient = recipientOf(ann);
    assert.ok(recipient.kind === 'x25519');
    const sizes = [0, 16_384, 100_001];
    for (const [size, version] of sizes.flatMap((each) => [[each, 1] as const, [each, 2] as const])) {
      const plain = plainOf(size);
      await writeFile(join(folder, 'plain'), plain);
      const text = peer({
        do: 'encrypt',
        recipient: encodeKey('recipient', recipient.publicKey),
        symmetric: identities[1][1],
        version,
      });
      const facts = JSON.parse(text) as EncryptionFacts;
      const file = await readFile(join(folder, 'file.enc'));
      for (const [identity] of identities) {
        const dataKey = openDataKey({ identities: [identity] }, facts, 'f');
        const hash = createHash('sha256');
        for await (const piece of decryptAll(bytesReadable(file), dataKey, 'f')) hash.update(piece);
        assert.deepEqual(hash.digest(), createHash('sha256').update(plain).digest());
      }
    }
  });
});
