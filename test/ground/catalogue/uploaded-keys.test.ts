import assert from 'node:assert/strict';
import { uploadedKeys } from '../../../src/ground/catalogue/uploaded-keys.js';

describe('The keys of reported segments', () => {
  const id = '000000000006-0123456789abcdef0123456789abcdef';
  const firstLogTime = '1700000000001000000';

  it('are those under which sync stores them, for uploaded segments alone', () => {
    const uploaded = { segment: id, state: 'uploaded', firstLogTime };
    assert.deepEqual(
      uploadedKeys('squid 7', [
        uploaded,
        { ...uploaded, priority: 'high' },
        { ...uploaded, state: 'sealed' },
        { segment: id, state: 'uploaded' },
        { ...uploaded, segment: '../../etc' },
      ]),
      [
        `robot=squid%207/date=2023-11-14/hour=22/${id}.mcap`,
        `robot=squid%207/date=2023-11-14/hour=22/${id}-high.mcap`,
      ],
    );
  });
});
