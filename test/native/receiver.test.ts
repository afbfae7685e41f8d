import assert from 'node:assert/strict';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';
import { Harness, type Sanitizer } from './harness.js';

const scenarios = [
  'all-arrives-in-order',
  'a-stall-drops-the-newest',
  'a-stall-drops-the-oldest',
  'a-full-arena-drops-the-oldest',
  'large-messages-drop-the-oldest',
  'a-message-larger-than-the-arena',
  'empty-messages',
  'a-flood-takes-no-room-from-others',
  'a-lower-class-never-pushes-out-a-higher-one',
  'batches-are-released-in-any-order',
  'a-subscription-is-closed-while-the-thread-takes',
  'a-successor-never-overtakes',
  'ten-receivers-in-one-process',
  'the-consumer-stalls-again-and-again',
  'large-messages-are-taken-into-blocks',
  'a-dropped-message-frees-its-block',
  'blocks-come-and-go-under-load',
  'a-failing-middleware-is-asked-again',
  'what-the-middleware-loses-is-counted',
  'wake-ups-are-coalesced',
  'it-stops-under-load',
];

for (const sanitizer of ['thread', 'address,undefined'] satisfies Sanitizer[]) {
  describe(`The native receiver, compiled with -fsanitize=${sanitizer}`, function () {
    this.timeout(300_000);
    let harness: Harness | undefined;
    before(function () {
      const compiled = Harness.compile(sanitizer);
      if (typeof compiled === 'string') lacking(this, 'c-compiler', compiled);
      harness = compiled;
    });
    after(() => harness?.remove());

    it('has no scenario that is not run here', () => assert.deepEqual(harness?.scenarios(), scenarios));

    for (const scenario of scenarios) {
      it(`passes ${scenario}`, () => present(harness).run(scenario));
    }
  });
}
