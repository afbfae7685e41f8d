import type { FileSystem } from '../../core/file-system.js';
import { HoldfastError } from '../../core/errors.js';
import type { DerivationStage } from '../../core/derivation.js';
import type { DigestedManifest, Manifest, ManifestChannel } from '../../core/manifest.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import { parseTransformRule, type TransformRule } from '../../core/transform/rule.js';
import { FilePool } from '../../recordings/file-readable.js';
import { withChannels } from '../../recordings/manifest-part.js';
import { mergeRuns } from '../../recordings/merged-messages.js';
import { channelName } from '../../recordings/survey-object.js';
import { SegmentCopy } from '../../recordings/segment-copy.js';
import { DigestFile } from '../../seal/digest-file.js';
import { compileTransform, keyedHash, type MessageTransform } from './message-transform.js';

/** Version of the stage `fields`: another one may give other bytes for the same rule. */
const FIELDS_VERSION = 1;

/** One sealed segment, and the rules for it. Plain data, for the worker. */
export interface TransformRequest {
  /** The sealed file. */
  readonly path: string;
  readonly manifest: Manifest;
  /** The file to make. It is replaced. */
  readonly target: string;
  readonly rules: readonly string[];
  readonly hashKey: Uint8Array;
}

/**
 * Makes the derived file of a segment, durably, and returns its manifest. The same request gives the same bytes at any
 * time. Throws `TRANSFORM_FAILED`, `SEGMENT_CORRUPT` and the errors of the disk; the target is then incomplete.
 */
export async function transformSegment(fs: FileSystem, request: TransformRequest): Promise<DigestedManifest> {
  const { path, manifest, target } = request;
  const rules = request.rules.map(ruleOf);
  await using files = new FilePool(fs);
  const readable = files.readable(path);
  const reader = await openMcap(readable, path);
  const work = new Transformation(rules, request.hashKey);
  await using handle = await fs.open(target, 'w');
  const out = await SegmentCopy.begin(new DigestFile(handle), reader);
  const runs = mergeRuns([{ name: path, bytes: manifest.file.bytes, readable: () => readable }], {
    filter: {},
    onProblem: ({ reason }) => {
      throw new HoldfastError('SEGMENT_CORRUPT', `${path}: ${reason}`, { facts: { name: path } });
    },
  });
  for await (const { messages } of runs) {
    for (const message of messages) {
      const changed = work.apply(message);
      if (changed) await out.add(changed);
    }
  }
  const digest = await out.finish();
  const kept = withChannels(manifest, work.channels(manifest));
  const { sha256 = '', bytes, crc32 } = manifest.file;
  const { messages, payloadBytes } = manifest;
  return {
    ...kept,
    file: { name: manifest.file.name, ...digest, compression: 'zstd' },
    derived: {
      version: 1,
      source: { bytes, sha256, crc32, messages, payloadBytes },
      stages: rules.map(stageOf),
    },
  };
}

function ruleOf(text: string): TransformRule {
  const rule = parseTransformRule(text);
  if (!rule) throw new HoldfastError('INTERNAL', `the rule "${text}" was not parsed before`);
  return rule;
}

function stageOf({ text }: TransformRule): DerivationStage {
  return { name: 'fields', version: FIELDS_VERSION, rule: text };
}

/** The messages of one segment, and how many bytes those of each channel have gained or lost. */
class Transformation {
  readonly #rules: readonly TransformRule[];
  readonly #hash: ReturnType<typeof keyedHash>;
  readonly #transforms = new Map<McapChannel, MessageTransform>();
  readonly #gained = new Map<string, number>();

  constructor(rules: readonly TransformRule[], hashKey: Uint8Array) {
    this.#rules = rules;
    this.#hash = keyedHash(hashKey);
  }

  /** Undefined: the message stays here. */
  apply(message: McapMessage): McapMessage | undefined {
    const { channel, data } = message;
    let transform = this.#transforms.get(channel);
    if (!transform) {
      this.#transforms.set(channel, (transform = compileTransform(channel, this.#rules, this.#hash)));
    }
    if (transform === 'keep') return message;
    if (transform === 'drop') return undefined;
    const changed = transform(data);
    if (!channel.carried) {
      const key = channelName(channel.topic, channel.schema.name, channel.encoding, channel.schema.encoding);
      this.#gained.set(key, (this.#gained.get(key) ?? 0) + changed.byteLength - data.byteLength);
    }
    return { ...message, data: changed };
  }

  channels({ channels }: Manifest): ManifestChannel[] {
    return channels
      .filter(({ topic }) => !this.#rules.some(({ drop, topics }) => drop === 'topic' && topics.test(topic)))
      .map((channel) => {
        const { topic, type, encoding, schemaEncoding } = channel;
        const gained = this.#gained.get(channelName(topic, type, encoding, schemaEncoding)) ?? 0;
        return { ...channel, bytes: channel.bytes + gained };
      });
  }
}
