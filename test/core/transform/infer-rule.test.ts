import assert from 'node:assert/strict';
import type { InferRule } from '../../../src/core/transform/infer-rule.js';
import { parseTransformRule } from '../../../src/core/transform/rule.js';
import { present } from '../../../src/core/present.js';

describe('a rule with a model', () => {
  const inferOf = (text: string): InferRule => present(parseTransformRule(text)?.infer);

  it('has the input, the topic, the limits and the marks that it states', () => {
    const rule = inferOf(
      '/cam memory=1024MiB message=5s infer /opt/m.onnx image=224x160 color=bgr layout=nhwc scale=1 mean=1,2,3 ' +
        'std=0.5 topic=/ai/cam mark=person:score[3]>=0.8 mark=dark:mean<-1e-3 before=0s after=30s',
    );
    assert.equal(rule.model, '/opt/m.onnx');
    assert.equal(rule.topic, '/ai/cam');
    assert.equal(rule.limits.memoryMaxBytes, 1024 * 1024 * 1024);
    assert.equal(rule.limits.messageMaxMs, 5_000);
    assert.deepEqual(rule.input, {
      ...{ kind: 'image', width: 224, height: 160, color: 'bgr', layout: 'nhwc', scale: 1 },
      ...{ mean: [1, 2, 3], std: [0.5, 0.5, 0.5] },
    });
    assert.deepEqual(rule.marks, [
      { label: 'person', output: 'score', index: 3, comparison: '>=', value: 0.8 },
      { label: 'dark', output: 'mean', comparison: '<', value: -0.001 },
    ]);
    assert.deepEqual([rule.beforeMs, rule.afterMs], [0, 30_000]);
  });

  it('has defaults', () => {
    const { input, marks, beforeMs, afterMs, topic } = inferOf('/cam infer m.onnx image=8x8');
    assert.deepEqual(input, {
      ...{ kind: 'image', width: 8, height: 8, color: 'rgb', layout: 'nchw', scale: 255 },
      ...{ mean: [0, 0, 0], std: [1, 1, 1] },
    });
    assert.deepEqual([marks, beforeMs, afterMs, topic], [[], 5_000, 5_000, undefined]);
    const fields = inferOf('/imu infer m.onnx fields=angular_velocity.x,age?').input;
    assert.deepEqual(fields, {
      kind: 'fields',
      paths: [
        { names: ['angular_velocity', 'x'], optional: false },
        { names: ['age'], optional: true },
      ],
    });
  });

  for (const text of [
    '/cam infer',
    '/cam infer m.onnx',
    '/cam infer m.onnx image=8x8 fields=a',
    '/cam infer m.onnx fields=a color=gray',
    '/cam infer m.onnx image=0x8',
    '/cam infer m.onnx image=5000x8',
    '/cam infer m.onnx image=8x8 color=yuv',
    '/cam infer m.onnx image=8x8 color=gray mean=1,2,3',
    '/cam infer m.onnx image=8x8 mean=1,2',
    '/cam infer m.onnx image=8x8 std=0',
    '/cam infer m.onnx image=8x8 scale=0',
    '/cam infer m.onnx image=8x8 topic=ai',
    '/cam infer m.onnx image=8x8 image=9x9',
    '/cam infer m.onnx image=8x8 before=5m',
    '/cam infer m.onnx image=8x8 after=3601s',
    '/cam infer m.onnx image=8x8 mark=score>0.5',
    '/cam infer m.onnx image=8x8 mark=a:score=0.5',
    '/cam infer m.onnx image=8x8 mark=a:score[x]>0.5',
    `/cam infer m.onnx image=8x8 ${'mark=a:b>1 '.repeat(17)}`,
    '/cam memory=1MiB infer m.onnx image=8x8',
    '/cam infer m.onnx image=8x8 quality=3',
  ]) {
    it(`is refused as "${text}"`, () => assert.equal(parseTransformRule(text), undefined));
  }
});
