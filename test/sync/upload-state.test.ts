import assert from 'node:assert/strict';
import {
  initialUpload,
  isActive,
  keyWithSuffix,
  nextUpload,
  park,
  uploadTable,
  vanish,
  type ActivePhase,
  type UploadEventKind,
  type UploadState,
} from '../../src/sync/upload-state.js';

const upload = { uploadId: 'u', partBytes: 8 };

function state(phase: ActivePhase, more: Partial<UploadState> = {}): UploadState {
  return { phase, suffix: 0, overwrite: false, single: false, restarts: 0, corruptions: 0, ...more };
}

function after(from: UploadState, kind: UploadEventKind): UploadState {
  return nextUpload(from as never, { kind });
}

describe('upload state machine', () => {
  // Phase, event, next phase: for a segment in parts without, and with, an open upload.
  const expected: readonly (readonly [ActivePhase, UploadEventKind, string, string])[] = [
    ['looking', 'absent', 'creating', 'resuming'],
    ['looking', 'present', 'comparing', 'comparing'],
    ['comparing', 'same', 'publishing', 'publishing'],
    ['comparing', 'absent', 'creating', 'resuming'],
    ['comparing', 'differs-bare', 'creating', 'resuming'],
    ['comparing', 'differs-published', 'looking', 'looking'],
    ['sending', 'sent', 'verifying', 'verifying'],
    ['sending', 'unsure', 'looking', 'looking'],
    ['sending', 'exists', 'comparing', 'comparing'],
    ['sending', 'conflict', 'looking', 'looking'],
    ['creating', 'created', 'uploading', 'uploading'],
    ['resuming', 'listed', 'uploading', 'uploading'],
    ['resuming', 'upload-unknown', 'looking', 'looking'],
    ['uploading', 'parts-sent', 'completing', 'completing'],
    ['uploading', 'interrupted', 'resuming', 'resuming'],
    ['uploading', 'upload-unknown', 'looking', 'looking'],
    ['completing', 'completed', 'verifying', 'verifying'],
    ['completing', 'exists', 'comparing', 'comparing'],
    ['completing', 'conflict', 'looking', 'looking'],
    ['completing', 'upload-unknown', 'looking', 'looking'],
    ['completing', 'parts-refused', 'resuming', 'resuming'],
    ['verifying', 'verified', 'publishing', 'publishing'],
    ['verifying', 'missing', 'looking', 'looking'],
    ['verifying', 'corrupt', 'creating', 'resuming'],
    ['publishing', 'published', 'confirming', 'confirming'],
    ['publishing', 'taken', 'looking', 'looking'],
    ['confirming', 'confirmed', 'recording', 'recording'],
    ['confirming', 'unconfirmed', 'looking', 'looking'],
    ['recording', 'recorded', 'done', 'done'],
  ];

  it('is walked here in every cell', () => {
    const cells = Object.entries(uploadTable).flatMap(([phase, row]) =>
      Object.keys(row).map((kind) => `${phase} ${kind}`),
    );
    assert.deepEqual(cells.sort(), expected.map(([phase, kind]) => `${phase} ${kind}`).sort());
  });

  for (const [phase, kind, bare, open] of expected) {
    it(`${phase}, ${kind}: ${bare}${open === bare ? '' : `, with an open upload ${open}`}`, () => {
      assert.equal(after(state(phase), kind).phase, bare);
      assert.equal(after(state(phase, { upload }), kind).phase, open);
    });
  }

  it('leaves every loop by a count: every restart adds to the restarts or the suffix', () => {
    const startsOver: readonly (readonly [ActivePhase, UploadEventKind])[] = [
      ['sending', 'conflict'],
      ['resuming', 'upload-unknown'],
      ['uploading', 'upload-unknown'],
      ['completing', 'conflict'],
      ['completing', 'upload-unknown'],
      ['completing', 'parts-refused'],
      ['comparing', 'absent'],
      ['comparing', 'differs-bare'],
      ['comparing', 'differs-published'],
      ['verifying', 'missing'],
      ['verifying', 'corrupt'],
      ['publishing', 'taken'],
      ['confirming', 'unconfirmed'],
    ];
    for (const [phase, kind] of startsOver) {
      const next = after(state(phase, { upload }), kind);
      assert.equal(next.restarts + next.suffix, 1, `${phase}, ${kind}`);
    }
  });

  it('begins with the known facts: a fresh segment is sent, another one looked for, an open upload resumed', () => {
    assert.equal(initialUpload({ single: true, fresh: true }).phase, 'sending');
    assert.equal(initialUpload({ single: false, fresh: true }).phase, 'creating');
    assert.equal(initialUpload({ single: true, fresh: false }).phase, 'looking');
    assert.equal(initialUpload({ single: false, fresh: false, upload }).phase, 'resuming');
  });

  it('overwrites only an object that was seen to differ, and never under a new key', () => {
    const bare = after(state('comparing', { single: true }), 'differs-bare');
    assert.deepEqual([bare.phase, bare.overwrite], ['sending', true]);
    const other = after({ ...bare, phase: 'comparing' }, 'differs-published');
    assert.deepEqual([other.suffix, other.overwrite], [1, false]);
  });

  it('can be parked or vanish from any phase', () => {
    for (const phase of Object.keys(uploadTable) as ActivePhase[]) {
      assert.equal(isActive(park(state(phase), 'STORE_REJECTED', 'no').phase), false);
      assert.equal(vanish(state(phase)).phase, 'gone');
    }
  });

  it('puts the suffix before the extension', () => {
    assert.equal(keyWithSuffix('a/b.mcap', 0), 'a/b.mcap');
    assert.equal(keyWithSuffix('a/b.mcap', 2), 'a/b~2.mcap');
  });
});
