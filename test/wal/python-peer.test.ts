import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { encodeKey } from '../../src/encryption/key-text.js';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';
import { testWalKeys } from '../support/encrypted-segments.js';
import { pythonWith } from '../support/python-packages.js';
import { goldenFolder } from './golden-segment.js';
import { readSegment } from './wal-support.js';

/** Written from docs/wal-format.md alone, with Python's cryptography. */
const PEER = String.raw`
import base64, json, struct, sys, zlib
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

def derive(key, salt, purpose, more=b'', length=32):
    info = b'holdfast encryption 1 ' + purpose.encode() + more
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)

def unwrap(wrapped, key):
    assert len(wrapped) == 97 and wrapped[:5] == b'HFWK\x01'
    assert zlib.crc32(wrapped[:93]) == struct.unpack('<I', wrapped[93:])[0]
    name, key_id, salt, sealed = wrapped[5:13], wrapped[13:29], wrapped[29:45], wrapped[45:93]
    assert name == derive(key, b'', 'key name', length=8)
    data_key = AESGCM(derive(key, salt, 'wrap symmetric', key_id)).decrypt(bytes(12), sealed, b'')
    assert derive(data_key, b'', 'key id', length=16) == key_id
    return data_key

def log_writes(log):
    at, pieces = 0, []
    while at + 7 <= len(log):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        crc, length, kind = struct.unpack('<IHB', log[at:at + 7])
        pieces.append(log[at + 7:at + 7 + length])
        at += 7 + length
        if kind in (1, 4):
            yield b''.join(pieces)
            pieces = []

def puts(write):
    def varint(at):
        value = shift = 0
        while True:
            byte = write[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
    count, at = struct.unpack('<I', write[8:12])[0], 12
    for _ in range(count):
        assert write[at] == 1
        length, at = varint(at + 1)
        key, at = write[at:at + length], at + length
        length, at = varint(at)
        yield key, write[at:at + length]
        at += length
    assert at == len(write)

given = json.load(sys.stdin)
raw = base64.urlsafe_b64decode(given['key'].split('_', 1)[1])[:32]
folder = given['folder']
data_key = unwrap(open(folder + '/key', 'rb').read(), raw)
log_key, blob_key = AESGCM(derive(data_key, b'', 'wal log')), AESGCM(derive(data_key, b'', 'wal blob'))
blob = open(folder + '/blob', 'rb').read()

def at_offset(offset, size):
    return blob_key.decrypt(bytes(4) + offset.to_bytes(8, 'big'), blob[offset:offset + size + 16], b'')

def frame(offset, size):
    head = at_offset(offset, 48)
    payload_bytes, count, header_bytes = struct.unpack('<QII', head[24:40])
    head += at_offset(offset + 64, header_bytes)
    at, plain = offset + 64 + header_bytes + 16, b''
    while len(plain) < payload_bytes:
        part = min(65536, payload_bytes - len(plain))
        plain += at_offset(at, part)
        at += part + 16
    assert at == offset + size
    return head + plain

kinds, payloads = [], []
log = open(folder + '/' + given['log'], 'rb').read()
for number, write in enumerate(log_writes(log), 1):
    (w, stamp), (y, wrapped), (x, sealed) = puts(write)
    assert (w, y, x) == (b'w', b'y', b'x' + number.to_bytes(8, 'big'))
    assert stamp.hex() == given['stamp'] and unwrap(wrapped, raw) == data_key
    assert struct.unpack('<Q', write[:8])[0] == 3 * (number - 1) + 1
    inner = log_key.decrypt(bytes(4) + number.to_bytes(8, 'big'), sealed, stamp)
    assert struct.unpack('<Q', inner[:8])[0] == number
    for key, value in puts(inner):
        kinds.append(key[:1].decode())
        if key[:1] != b'b':
            continue
        if value[0] == 1:
            offset, size, crc = struct.unpack('>QQI', value[1:])
            batch = frame(offset, size)
            assert crc == struct.unpack('<I', batch[44:48])[0]
        else:
            batch = value[1:]
        assert batch[:4] == b'HFB1'
        header_bytes = struct.unpack('<I', batch[36:40])[0]
        assert zlib.crc32(batch[:44] + batch[48:48 + header_bytes]) == struct.unpack('<I', batch[44:48])[0]
        payloads.append(batch[48 + header_bytes:].hex())
print(json.dumps({'kinds': ''.join(kinds), 'payloads': payloads}))
`;

describe('A second implementation of the encrypted WAL, in Python', function () {
  this.timeout(60_000);

  it('reads the golden segment from the key file, the log and the blob', async function () {
    const found = pythonWith(['cryptography']);
    if ('missing' in found) lacking(this, 'python', `Python has no cryptography: ${found.missing}`);
    const names = await realFs.readdir(goldenFolder);
    const isEncrypted = await Promise.all(
      names.map((name) =>
        realFs.stat(join(goldenFolder, name, 'key')).then(
          () => true,
          () => false,
        ),
      ),
    );
    const name = present(names.find((_, index) => isEncrypted[index]));
    const folder = join(goldenFolder, name);
    const log = present((await realFs.readdir(folder)).find((file) => file.endsWith('.log')));
    const key = encodeKey('symmetric', present(testWalKeys[0]));
    const input = JSON.stringify({ folder, log, key, stamp: name.slice(-32) });
    const { status, stdout, stderr } = spawnSync(found.path, ['-c', PEER], { input, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const { kinds, payloads } = JSON.parse(stdout) as { kinds: string; payloads: string[] };
    const { records } = await readSegment(folder, realFs, testWalKeys);
    assert.equal(payloads.join(''), Buffer.concat(records.map(({ data }) => data)).toString('hex'));
    assert.match(kinds, /^m[dctbkg]+b.*e$/);
  });
});
