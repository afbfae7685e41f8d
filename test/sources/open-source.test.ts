import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { configInvalid } from '../../src/settings/fault.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { openSource } from '../../src/sources/open-source.js';
import { parseSourceUri } from '../../src/sources/source-uri.js';

describe('A source URI', function () {
  this.timeout(30_000);

  it('is split into scheme, path and query, the path taken literally', () => {
    const parts = (uri: string): unknown => {
      const { scheme, path, query } = parseSourceUri(uri);
      return [scheme, path, Object.fromEntries(query)];
    };
    assert.deepEqual(parts('mcap:bags/run 1?speed=2x'), ['mcap', 'bags/run 1', { speed: '2x' }]);
    assert.deepEqual(parts('mcap:/a/why?.mcap'), ['mcap', '/a/why?.mcap', {}]);
    assert.deepEqual(parts('mcap:/a/100%25?.mcap?speed=max'), ['mcap', '/a/100%25?.mcap', { speed: 'max' }]);
    assert.deepEqual(parts('sim:'), ['sim', '', {}]);
    assert.deepEqual(parts('SIM:?robots=2&seed=3'), ['sim', '', { robots: '2', seed: '3' }]);
    assert.deepEqual(parts('foxglove:ws://h:1/p?x=1'), ['foxglove', 'ws://h:1/p', { x: '1' }]);
  });

  it('never shows a password', () => {
    assert.equal(parseSourceUri('foxglove:wss://me:secret@h:1').text, 'foxglove:wss://me:***@h:1');
    for (const value of ['robot=nats://s3cret@h?x=1', 'foxglove:ws://me:s3cret@h', 'nats://h?token=s3cret']) {
      const fault = { where: '--source', path: 'sources', value, allowed: 'another one' };
      assert.doesNotMatch(
        JSON.stringify([configInvalid([fault]).message, configInvalid([fault]).facts]),
        /s3cret/,
      );
    }
  });

  it('opens the adapter of its scheme', async () => {
    for (const uri of [
      'sim:?robots=1',
      'sim://localhost:1',
      'mcap:/none.mcap',
      'foxglove:ws://localhost:1',
    ]) {
      assert.equal((await openSource(uri, { fs })).uri, uri);
    }
  });

  it('is refused with the allowed forms if no source supports it', async () => {
    for (const uri of [
      'amqp://broker',
      'constructor:x',
      'bag.mcap',
      '',
      'sim://nowhere',
      'foxglove:http://x',
    ]) {
      await assert.rejects(openSource(uri, { fs }), (error: unknown) => {
        assert.ok(isHoldfastError(error, 'SOURCE_UNKNOWN'), `${uri}: ${String(error)}`);
        assert.match(error.message, /sim:|ws:/);
        return true;
      });
    }
  });
});
