import assert from 'node:assert/strict';
import { describeRecorder, describeStoppedWal } from '../../../src/app/cli/describe-status.js';
import { recorderStatus } from '../../monitors/fake-recorder.js';

describe('the recorder for a person', () => {
  const key = 'key:0123456789abcdef';

  it('says for whom it encrypts, and whether it does so before sealing', () => {
    const lines = (more: Parameters<typeof recorderStatus>[0]): string =>
      describeRecorder(recorderStatus(more), 0).join('\n');
    assert.doesNotMatch(lines({}), /encrypted|before sealing/);
    assert.match(
      lines({ encryptedFor: ['hfpub1_a', 'hfpub1_b'] }),
      /\n {2}encrypted +for hfpub1_a, hfpub1_b\n +not before sealing \(encryption\.at_rest_key\)\n/,
    );
    assert.match(
      lines({ encryptedFor: ['hfpub1_a'], atRestKeyName: key }),
      /\n {2}encrypted +for hfpub1_a\n +before sealing with key:0123456789abcdef\n/,
    );
  });

  it('says what a recorder that does not run has left, and which keys encrypt it', () => {
    const nothing = { segments: 0, unencrypted: 0, atRestKeyNames: [], problems: [] };
    assert.deepEqual(describeStoppedWal(nothing), []);
    assert.deepEqual(describeStoppedWal({ ...nothing, segments: 1, unencrypted: 1 }), [
      '  segments    1 waiting to be sealed',
    ]);
    const atRestKeyNames = [key, 'key:fedcba9876543210'];
    assert.deepEqual(
      describeStoppedWal({ segments: 4, unencrypted: 1, atRestKeyNames, problems: ['a\u001b'] }),
      [
        '  segments    4 waiting to be sealed',
        `  encrypted   before sealing with ${atRestKeyNames.join(', ')}`,
        '              1 of 4 segments in wal/ are not encrypted',
        '  PROBLEM     a\\x1b',
      ],
    );
  });
});
