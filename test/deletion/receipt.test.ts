import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeReceipt, verifyReceipt, type DeletionReceipt } from '../../src/deletion/deletion-receipt.js';
import { encodeKey } from '../../src/encryption/key-text.js';
import { signingKey, verifyingBytes } from '../../src/encryption/signing-key.js';
import { lacking } from '../../src/testing/lacking.js';
import { pythonWith } from '../support/python-packages.js';
import { SECRET } from './deletion-world.js';

/** Written from docs/deletion.md alone. */
const PEER = String.raw`
import base64, hashlib, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
receipt = json.load(open(sys.argv[1], encoding='utf-8'))
signature = receipt.pop('signature')
prefix, body = signature['key'].split('_', 1)
raw = base64.urlsafe_b64decode(body)
assert prefix == 'hfver1' and hashlib.sha256(prefix.encode() + raw[:32]).digest()[:4] == raw[32:]
text = json.dumps(receipt, separators=(',', ':'), ensure_ascii=False)
signed = b'holdfast-deletion-receipt-v1\n' + text.encode('utf-8')
Ed25519PublicKey.from_public_bytes(raw[:32]).verify(base64.b64decode(signature['value']), signed)
print('signed')
`;

const receipt: DeletionReceipt = {
  ...{ format: 'holdfast-deletion-receipt', version: 1, plan: '0123456789abcdef' },
  request: { robot: 'r1', from: '1', to: '18446744073709551615', topics: ['/état*'] },
  ...{
    by: 'Größe "ada"',
    reason: 'line\nbreak, tab\t, 日本 \u{1f680} </script>',
    startedAt: '3',
    finishedAt: '4',
  },
  places: [
    {
      ...{ place: 's3://rec/fleet', kind: 'store', notes: ['a note'] },
      removed: [
        { key: 'a.mcap', bytes: 2 ** 45, crc32: 1, messages: 3, firstLogTime: '1', lastLogTime: '2' },
      ],
      kept: [{ key: 'b.mcap', bytes: 0, why: 'legal hold 1: case' }],
    },
  ],
};
const key = verifyingBytes(createPublicKey(SECRET));

describe('the receipt of a deletion', () => {
  it('is accepted by the key that signed it, and by no other', () => {
    const text = encodeReceipt(receipt, SECRET);
    const { signedBy, ...read } = verifyReceipt(text, [key], 'r');
    assert.deepEqual(read, receipt);
    assert.equal(signedBy, encodeKey('verifying', key));
    const other = verifyingBytes(createPublicKey(signingKey(Buffer.alloc(32, 8))));
    assert.throws(() => verifyReceipt(text, [other], 'r'), { code: 'RECEIPT_UNPROVEN' });
  });

  it('is refused after any change of one character', () => {
    const text = encodeReceipt(receipt, SECRET);
    for (let at = 0; at < text.length; at++) {
      if (/\s/.test(text.charAt(at))) continue;
      const changed = text.slice(0, at) + (text.charAt(at) === 'x' ? 'y' : 'x') + text.slice(at + 1);
      assert.throws(() => verifyReceipt(changed, [key], 'r'), `character ${at}`);
    }
  });

  it('is verified by an independent program that follows the documentation', async function () {
    const found = pythonWith(['cryptography']);
    if ('missing' in found) lacking(this, 'python', `Python has no cryptography: ${found.missing}`);
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-receipt-'));
    try {
      const path = join(folder, 'receipt.json');
      await fs.writeFile(path, encodeReceipt(receipt, SECRET));
      const { stdout, stderr } = spawnSync(found.path, ['-c', PEER, path], { encoding: 'utf8' });
      assert.equal(stdout, 'signed\n', stderr);
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });
});
