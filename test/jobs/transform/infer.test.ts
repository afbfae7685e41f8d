import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, manifestKey, type Manifest } from '../../../src/core/manifest.js';
import { listEvents, readEvent } from '../../../src/core/event-files.js';
import type { McapMessage } from '../../../src/core/mcap/block.js';
import { present } from '../../../src/core/present.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import type { RawImage } from '../../../src/core/ros/image-message.js';
import { encodeCompressedImage, encodeRawImage } from '../../../src/jobs/transform/raw-image.js';
import { JpegEncoder } from '../../../src/jobs/transform/jpeg-encoder.js';
import { MessageDecoder } from '../../../src/recordings/message-decoder.js';
import { MemoryStore } from '../../support/memory-store.js';
import { onnxModel, type OnnxGraph } from '../../support/onnx-model.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { inferring, messagesIn, sealTyped, sinkOf, type TypedTopic } from './transform-world.js';

const WEIGHTS = [1, -1, 0.5, 0.25, -2, 4];
const BIAS = [0.125, -0.5];
/** `score` is the sigmoid of x * WEIGHTS + BIAS. */
const linear: OnnxGraph = {
  inputs: [{ name: 'x', dims: [1, 3] }],
  outputs: [{ name: 'score', dims: [1, 2] }],
  constants: [
    { name: 'w', dims: [3, 2], values: WEIGHTS },
    { name: 'b', dims: [2], values: BIAS },
  ],
  nodes: [
    { op: 'MatMul', inputs: ['x', 'w'], outputs: ['product'] },
    { op: 'Add', inputs: ['product', 'b'], outputs: ['sum'] },
    { op: 'Sigmoid', inputs: ['sum'], outputs: ['score'] },
  ],
};
/** The mean of each colour, and which one is the largest. */
const colours: OnnxGraph = {
  inputs: [{ name: 'image', dims: [1, 3, 4, 6] }],
  outputs: [
    { name: 'mean:0', dims: [1, 3, 1, 1] },
    { name: 'largest', dims: [1, 1, 1], type: 'int64' },
  ],
  nodes: [
    { op: 'GlobalAveragePool', inputs: ['image'], outputs: ['mean:0'] },
    { op: 'ArgMax', inputs: ['mean:0'], outputs: ['largest'], attributes: { axis: 1, keepdims: 0 } },
  ],
};
/** Products of large matrices that depend on the input, so that nothing is computed when it is loaded. */
function heavy(side: number, products: number): OnnxGraph {
  return {
    inputs: [{ name: 'x', dims: [1, 1] }],
    outputs: [{ name: 'y', dims: [side, side] }],
    constants: [{ name: 'shape', dims: [2], values: [side, side], type: 'int64' }],
    nodes: [
      { op: 'Expand', inputs: ['x', 'shape'], outputs: ['m0'] },
      ...Array.from({ length: products }, (_, at) => ({
        op: 'MatMul',
        ...{ inputs: [`m${at}`, 'm0'], outputs: [at === products - 1 ? 'y' : `m${at + 1}`] },
      })),
    ],
  };
}

function expectedScore(x: readonly number[]): number[] {
  return BIAS.map((bias, column) => {
    const sum = x.reduce((all, value, row) => all + value * present(WEIGHTS[2 * row + column]), bias);
    return 1 / (1 + Math.exp(-sum));
  });
}

interface MultiArray {
  readonly layout: {
    readonly dim: readonly { readonly label: string; readonly size: number; readonly stride: number }[];
    readonly data_offset: number;
  };
  readonly data: ArrayLike<number | bigint>;
}

interface Sent {
  readonly manifest: Manifest;
  readonly messages: McapMessage[];
  /** Labels of the marks in the data folder, and their files. */
  readonly marks: readonly { readonly id: string; readonly label: string; readonly at: string }[];
  readonly object: Buffer;
}

describe('a model of sync.transform', function () {
  this.timeout(120_000);
  const writer = new CdrWriter();
  const decoder = new MessageDecoder();

  const vector = (x: number, y: number, z: number): Uint8Array =>
    writer.begin().f64(x).f64(y).f64(z).finish();
  const vectors = (...list: (readonly [number, number, number])[]): TypedTopic => {
    return { topic: '/v', type: 'geometry_msgs/Vector3', payloads: list.map((one) => vector(...one)) };
  };
  const valueOf = ({ channel, data }: McapMessage): unknown => {
    const decoded = decoder.decode(channel, data);
    assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
    return decoded.value;
  };

  /** MODEL in a rule is the path of the model. */
  async function send(
    model: Uint8Array,
    topics: readonly TypedTopic[],
    rules: readonly string[],
    change?: (path: string) => Promise<void>,
  ): Promise<Sent | { readonly reason: string; readonly code: string; readonly keys: string[] }> {
    await using world = await SyncWorld.create();
    const path = join(world.folder.root, 'model.onnx');
    await fs.writeFile(path, model);
    const sealed = await sealTyped(world, topics);
    const texts = rules.map((rule) => rule.replace('MODEL', path));
    await using work = await inferring(texts, path);
    await change?.(path);
    const store = new MemoryStore();
    const options = { backoffFirstMs: 1, backoffMaxMs: 5 };
    const limit = AbortSignal.timeout(90_000);
    const { alarms } = await world.drain(store, { sink: sinkOf(work), options }, limit);
    const [alarm] = alarms;
    const keys = [...store.content.objects.keys()].filter((key) => key.startsWith('robot='));
    if (alarm) return { reason: alarm.message.replaceAll(path, 'MODEL'), code: alarm.code, keys };
    const text = present(store.content.objects.get(manifestKey(sealed.manifest.key))).toString();
    const manifest = decodeManifest(text, 'it');
    const ids = await listEvents(fs, world.folder.events);
    const marks = await Promise.all(ids.map((id) => readEvent(fs, world.folder.events, id)));
    const object = present(store.content.objects.get(sealed.manifest.key));
    return {
      ...{ manifest, messages: await messagesIn(store, manifest), object },
      marks: marks.map((mark) => present(mark)).sort((a, b) => (a.at < b.at ? -1 : 1)),
    };
  }

  async function sent(...given: Parameters<typeof send>): Promise<Sent> {
    const result = await send(...given);
    assert.ok('messages' in result, 'reason' in result ? result.reason : '');
    return result;
  }

  async function parked(...given: Parameters<typeof send>): Promise<string> {
    const result = await send(...given);
    assert.ok('reason' in result);
    assert.equal(result.code, 'TRANSFORM_FAILED');
    assert.deepEqual(result.keys, [], 'nothing of the segment leaves');
    return result.reason;
  }

  const on = (messages: readonly McapMessage[], topic: string): McapMessage[] =>
    messages.filter(({ channel }) => channel.topic === topic);

  it('writes its outputs beside the messages, and the manifest names it', async () => {
    const inputs = [
      [1, 2, 3],
      [-1, 0.5, 0],
      [0, 0, 0],
    ] as const;
    const model = onnxModel(linear);
    const { manifest, messages } = await sent(model, [vectors(...inputs)], ['/v infer MODEL fields=x,y,z']);
    const originals = on(messages, '/v');
    const outputs = on(messages, '/v/inference/score');
    assert.deepEqual([messages.length, originals.length, outputs.length], [6, 3, 3]);
    for (const [index, output] of outputs.entries()) {
      const { data, layout } = valueOf(output) as MultiArray;
      assert.equal(output.channel.schema.name, 'std_msgs/msg/Float32MultiArray');
      assert.equal(output.logTime, present(originals[index]).logTime);
      assert.deepEqual(layout.dim, [
        { label: 'dim0', size: 1, stride: 2 },
        { label: 'dim1', size: 2, stride: 2 },
      ]);
      const wanted = expectedScore(present(inputs[index]));
      for (const [at, score] of wanted.entries()) assert.ok(Math.abs(Number(data[at]) - score) < 1e-6);
      assert.equal(data.length, wanted.length);
    }
    const [stage] = present(manifest.derived).stages;
    assert.equal(stage?.name, 'infer');
    assert.match(present(stage.program), /^onnxruntime-web \d+\.\d+\.\d+/);
    assert.equal(stage.model, createHash('sha256').update(model).digest('hex'));
    assert.deepEqual(stage.counts, { unchanged: 3, changed: 0, dropped: 0, made: 3 });
    assert.deepEqual(
      manifest.channels.map(({ topic, count }) => [topic, count]),
      [
        ['/v', 3],
        ['/v/inference/score', 3],
      ],
    );
  });

  it('marks an event when a condition becomes true, once, with the same id each time', async () => {
    // The first score is above 0.9, above, below, and above again.
    const inputs = vectors([9, 0, 0], [9, 0, 0], [-9, 0, 0], [9, 0, 0]);
    const rule = '/v infer MODEL fields=x,y,z mark=near:score[0]>0.9 mark=never:score>1.5 before=1s after=2s';
    const first = await sent(onnxModel(linear), [inputs], [rule]);
    const times = on(first.messages, '/v').map(({ logTime }) => logTime);
    const marked = present(first.manifest.events);
    assert.deepEqual(
      marked.map(({ label, at, from, to }) => [label, BigInt(at), BigInt(from), BigInt(to)]),
      [times[0], times[3]].map((time) => {
        const at = present(time);
        return ['near', at, at - 1_000_000_000n, at + 2_000_000_000n];
      }),
    );
    assert.deepEqual(first.marks, marked, 'they are in the data folder as well');
  });

  it('gives the same bytes each time', async () => {
    await using world = await SyncWorld.create();
    const path = join(world.folder.root, 'model.onnx');
    await fs.writeFile(path, onnxModel(linear));
    const sealed = await sealTyped(world, [vectors([1, 2, 3], [4, 5, 6])]);
    const objects: Buffer[] = [];
    for (let index = 0; index < 2; index++) {
      await using work = await inferring([`/v infer ${path} fields=x,y,z mark=any:score>0`], path, 0);
      const store = new MemoryStore();
      for (const name of [world.folder.receipts, world.folder.sync]) {
        await fs.rm(name, { recursive: true, force: true });
      }
      await fs.rm(join(world.folder.root, 'stores.json'), { force: true });
      await world.drain(store, { sink: sinkOf(work) }, AbortSignal.timeout(60_000));
      objects.push(present(store.content.objects.get(sealed.manifest.key)));
      objects.push(present(store.content.objects.get(manifestKey(sealed.manifest.key))));
    }
    assert.deepEqual(objects.slice(2), objects.slice(0, 2));
    assert.equal((await listEvents(fs, world.folder.events)).length, 1, 'the mark is one mark');
  });

  const [red, green, blue] = [200, 100, 50];
  /** One colour everywhere, with rows that have padding. */
  function flat(encoding: string, pixel: readonly number[]): RawImage {
    const [width, height, padding] = [8, 5, 3];
    const step = width * pixel.length + padding;
    const data = new Uint8Array(step * height).fill(7);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) data.set(pixel, y * step + x * pixel.length);
    }
    const header = { stamp: { sec: 1, nanosec: 0 }, frame_id: 'camera' };
    return { header, height, width, encoding, is_bigendian: 0, step, data };
  }

  it('gets raw images and JPEGs in the form that the rule states', async () => {
    const jpeg = await new JpegEncoder().encode(flat('rgb8', [red, green, blue]), 100);
    const header = { stamp: { sec: 1, nanosec: 0 }, frame_id: 'camera' };
    const topics = [
      ...(
        [
          ['/rgb', 'rgb8', [red, green, blue]],
          ['/bgr', 'bgr8', [blue, green, red]],
          ['/rgba', 'rgba8', [red, green, blue, 9]],
        ] as const
      ).map(([topic, encoding, pixel]) => {
        return {
          ...{ topic, type: 'sensor_msgs/Image' },
          payloads: [encodeRawImage(writer, flat(encoding, pixel))],
        };
      }),
      {
        ...{ topic: '/jpeg', type: 'sensor_msgs/CompressedImage' },
        payloads: [encodeCompressedImage(writer, header, 'rgb8; jpeg compressed bgr8', jpeg)],
      },
      vectors([1, 2, 3]),
    ];
    const rule = '.* infer MODEL image=6x4 mean=0.5,0.25,0 std=0.5,0.5,2';
    const { messages, manifest } = await sent(onnxModel(colours), topics, [rule]);
    const wanted = [(red / 255 - 0.5) / 0.5, (green / 255 - 0.25) / 0.5, blue / 255 / 2];
    for (const topic of ['/rgb', '/bgr', '/rgba', '/jpeg']) {
      const [mean] = on(messages, `${topic}/inference/mean_0`).map((one) => valueOf(one) as MultiArray);
      const found = Array.from(present(mean).data, Number);
      // A JPEG rounds colours.
      const tolerance = topic === '/jpeg' ? 0.03 : 1e-5;
      for (const [at, value] of wanted.entries()) {
        assert.ok(Math.abs(present(found[at]) - value) < tolerance, `${topic}: ${found.join(' ')}`);
      }
      const [largest] = on(messages, `${topic}/inference/largest`);
      assert.equal(present(largest).channel.schema.name, 'std_msgs/msg/Int64MultiArray');
      assert.deepEqual(Array.from((valueOf(present(largest)) as MultiArray).data, Number), [0]);
    }
    assert.deepEqual(on(messages, '/v').length, 1, 'other topics pass');
    const { counts } = present(present(manifest.derived).stages[0]);
    assert.deepEqual(counts, { unchanged: 5, changed: 0, dropped: 0, made: 8 });
  });

  it('writes on the topic of the rule, and later rules see its outputs', async () => {
    const rules = ['/v infer MODEL fields=x,y,z topic=/ai/near', '/v$ drop'];
    const { manifest } = await sent(onnxModel(linear), [vectors([1, 2, 3])], rules);
    assert.deepEqual(
      manifest.channels.map(({ topic }) => topic),
      ['/ai/near/score'],
    );
  });

  for (const [what, graph, rule, reason] of [
    ['has an input of another size', linear, 'fields=x,y', /the model cannot be run/],
    ['is no model', undefined, 'fields=x,y,z', /the model cannot be loaded/],
    ['lacks an output', linear, 'fields=x,y,z mark=a:score2>1', /no output "score2"; there are: score/],
    [
      'lacks an element',
      linear,
      'fields=x,y,z mark=a:score[2]>1',
      /"score" has 2 elements; the rule names 2/,
    ],
    ['gets messages that lack a field', linear, 'fields=x,y,w', /\/v .*it has no field w/],
  ] as const) {
    it(`parks the segment with the reason if it ${what}`, async () => {
      const model = graph ? onnxModel(graph) : Buffer.from('not ONNX');
      const text = await parked(model, [vectors([1, 2, 3])], [`/v infer MODEL ${rule}`]);
      assert.match(text, reason);
      assert.match(text, /the rule "\/v infer MODEL .*" of sync.transform cannot be applied/);
    });
  }

  it('parks the segment if it is another file than when sync started', async () => {
    const replace = (path: string): Promise<void> => fs.writeFile(path, onnxModel(colours));
    const rules = ['/v infer MODEL fields=x,y,z'];
    const text = await parked(onnxModel(linear), [vectors([1, 2, 3])], rules, replace);
    assert.match(text, /the model has SHA-256 [0-9a-f]{64}; when sync started, it was [0-9a-f]{64}/);
  });

  it('is killed if it takes too long or too much memory, and parks the segment after three attempts', async () => {
    const input = [{ topic: '/n', type: 'std_msgs/Float64', payloads: [writer.begin().f64(1).finish()] }];
    const slow = await parked(onnxModel(heavy(2_000, 40)), input, ['/n message=1s infer MODEL fields=data']);
    assert.match(slow, /did not give its answer to a message within 1 s.*, in 3 attempts/);
    const hungry = ['/n memory=400MiB infer MODEL fields=data'];
    const large = await parked(onnxModel(heavy(16_000, 1)), input, hungry);
    assert.match(large, /took \d+ bytes of memory; allowed: 419430400.*, in 3 attempts/);
  });
});
