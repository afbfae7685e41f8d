import assert from 'node:assert/strict';
import { parseTransformRule } from '../../src/core/transform/rule.js';
import { toGrid } from '../../src/core/transform/rounding.js';

describe('a rule of sync.transform', () => {
  it('names topics, what is done, and the fields', () => {
    const rule = parseTransformRule('/fix round=latitude+longitude:100m,altitude:0 hash=frame? drop=a.b,c');
    assert.deepEqual(rule?.changes, [
      {
        ...{ kind: 'grid', metres: 100 },
        path: { names: ['latitude'], optional: false },
        longitude: { names: ['longitude'], optional: false },
      },
      { kind: 'decimals', decimals: 0, path: { names: ['altitude'], optional: false } },
      { kind: 'hash', path: { names: ['frame'], optional: true } },
      { kind: 'drop', path: { names: ['a', 'b'], optional: false } },
      { kind: 'drop', path: { names: ['c'], optional: false } },
    ]);
    assert.equal(parseTransformRule('/camera/.* drop')?.drop, 'topic');
    const step = parseTransformRule('/odom round=pose.pose.position.x:0.5m');
    assert.deepEqual(step?.changes[0]?.kind === 'step' && step.changes[0].metres, 0.5);
  });

  it('names a program with its arguments and limits', () => {
    const rule = parseTransformRule('/a memory=64MiB message=2s exec python3 blur.py drop');
    assert.deepEqual(rule?.process, {
      command: ['python3', 'blur.py', 'drop'],
      ...{ memoryMaxBytes: 64 * 1024 * 1024, outputMaxBytes: 1024 * 1024 * 1024 },
      ...{ messageMaxMs: 2_000, segmentMaxMs: 600_000 },
    });
  });

  it('says what becomes of images', () => {
    const blank = parseTransformRule('/a blank=3x4+1+2,5x6+0+0')?.image;
    assert.deepEqual(blank, {
      kind: 'blank',
      regions: [
        { x: 1, y: 2, width: 3, height: 4 },
        { x: 0, y: 0, width: 5, height: 6 },
      ],
    });
    assert.deepEqual(parseTransformRule('/a jpeg=80?')?.image, {
      kind: 'jpeg',
      quality: 80,
      isLenient: true,
    });
  });

  it('is refused if it could be meant in two ways, or in none', () => {
    for (const text of [
      '',
      '/a',
      '( drop',
      '/a drop zero=b',
      '/a zero=',
      '/a zero=b,',
      '/a zero=b zero=b',
      '/a drop=b hash=b.c',
      '/a round=b',
      '/a round=b:16',
      '/a round=b:1.5',
      '/a round=b:0m',
      '/a round=b+c:3',
      '/a round=b+c+d:3m',
      '/a round=x.b+y.c:3m',
      '/a blur=b',
      '/a hash=b?.c',
      '/a jpeg=0',
      '/a h264=52',
      '/a h264=',
      '/a jpeg=101',
      '/a jpeg=80 blank=1x1+0+0',
      '/a blank=1x1',
      '/a blank=0x1+0+0',
      '/a exec',
      '/a memory=64MiB',
      '/a memory=64 exec x',
      '/a memory=64s exec x',
      '/a memory=8MiB exec x',
      '/a memory=64MiB memory=64MiB exec x',
      '/a cpu=1s exec x',
      '/a hash=b exec x',
    ]) {
      assert.equal(parseTransformRule(text), undefined, text);
    }
  });

  it('rounds positions to a grid that is as wide in metres near a pole as at the equator', () => {
    const metres = 111_195.08;
    for (const latitude of [0, 47.3769, -60.5, 89]) {
      const [row, column] = toGrid(latitude, 8.5417, 100);
      assert.ok(Math.abs(row - latitude) * metres <= 50.001, String(row));
      const east = Math.abs(column - 8.5417) * metres * Math.cos((row * Math.PI) / 180);
      assert.ok(east <= 50.001, `${east} m`);
      // Everything in one cell gives the same numbers.
      assert.deepEqual(toGrid(row + 0.0001, column, 100), [row, column]);
    }
    assert.deepEqual(toGrid(NaN, 8.5, 100), [NaN, NaN]);
    assert.deepEqual(toGrid(90, 8.5, 100)[0], 90);
  });
});
