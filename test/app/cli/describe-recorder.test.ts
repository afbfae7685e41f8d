import assert from 'node:assert/strict';
import { describeRecorder } from '../../../src/app/cli/describe-status.js';
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
});
