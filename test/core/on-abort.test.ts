import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { onAbort } from '../../src/core/on-abort.js';

describe('onAbort', () => {
  it('calls once when the signal aborts, and at once if it is aborted already', () => {
    const stop = new AbortController();
    let calls = 0;
    onAbort(stop.signal, () => calls++);
    assert.equal(calls, 0);
    stop.abort();
    assert.equal(calls, 1);
    onAbort(stop.signal, () => calls++);
    assert.equal(calls, 2);
  });

  it('listens no more once that is ended, and leaves nothing on the signal', () => {
    const stop = new AbortController();
    let calls = 0;
    const unlisten = onAbort(stop.signal, () => calls++);
    unlisten();
    unlisten();
    stop.abort();
    assert.equal(calls, 0);
    assert.deepEqual(getEventListeners(stop.signal, 'abort'), []);
  });
});
