import { randomBytes } from 'node:crypto';
import type { FileSystem } from '../../core/file-system.js';
import { HoldfastError } from '../../core/errors.js';
import {
  ENCRYPTED_VERSION,
  encryptedKey,
  type DigestedManifest,
  type Manifest,
} from '../../core/manifest.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import { parseTransformRule, type TransformRule } from '../../core/transform/rule.js';
import { factsOf, newContentKey, type ContentKey } from '../../encryption/encrypted-content.js';
import type { Recipient } from '../../encryption/wrapped-key.js';
import { ChildSessions } from '../../host/child-sessions.js';
import { FilePool } from '../../recordings/file-readable.js';
import { withChannels } from '../../recordings/manifest-part.js';
import { mergeRuns } from '../../recordings/merged-messages.js';
import { SegmentCopy } from '../../recordings/segment-copy.js';
import { DigestFile } from '../../seal/digest-file.js';
import type { ModelDigests } from './infer-steps.js';
import { Transformation } from './transformation.js';

/** One sealed segment, and the rules for it. Plain data, for the worker. */
export interface TransformRequest {
  /** The sealed file. */
  readonly path: string;
  readonly manifest: Manifest;
  /** The file to make. It is replaced. */
  readonly target: string;
  readonly rules: readonly string[];
  readonly hashKey: Uint8Array;
  /** Of the models of the rules; absent: there are none. */
  readonly models?: ModelDigests;
  /** Who can read the file. Empty: it is not encrypted. */
  readonly recipients: readonly Recipient[];
  /** Ids of processes that it starts: {@link ChildSessions}. */
  readonly children: Int32Array;
}

/**
 * Makes the derived file of a segment, durably, and returns its manifest. The same request gives the same bytes at any
 * time, unless it has recipients: the data key is a new one. Throws `TRANSFORM_FAILED`, `TRANSFORM_PROCESS_FAILED`, `SEGMENT_CORRUPT` and the errors of the disk; the target is then incomplete.
 */
export async function transformSegment(fs: FileSystem, request: TransformRequest): Promise<DigestedManifest> {
  const { path, manifest, target, models = {} } = request;
  const rules = request.rules.map(ruleOf);
  await using files = new FilePool(fs);
  const readable = files.readable(path);
  const reader = await openMcap(readable, path);
  const segment = { robot: manifest.robot, name: manifest.file.name };
  const sessions = new ChildSessions(request.children);
  await using work = new Transformation(rules, request.hashKey, segment, sessions, target, models);
  await using handle = await fs.open(target, 'w');
  const key = request.recipients.length === 0 ? undefined : newContentKey(randomBytes);
  const file = new DigestFile(handle, undefined, key);
  const out = await SegmentCopy.begin(file, reader);
  const runs = mergeRuns([{ name: path, bytes: manifest.file.bytes, readable: () => readable }], {
    filter: {},
    onProblem: ({ reason }) => {
      throw new HoldfastError('SEGMENT_CORRUPT', `${path}: ${reason}`, { facts: { name: path } });
    },
  });
  for await (const { messages } of runs) {
    for (const message of messages) {
      const made = work.apply(message);
      for (const one of made instanceof Promise ? await made : made) await out.add(one);
    }
  }
  for await (const message of work.finish()) await out.add(message);
  for (const event of work.events) await out.addEvent(event);
  const digest = await out.finish();
  const kept = withChannels(manifest, work.channels(manifest));
  const { sha256 = '', bytes, crc32 } = manifest.file;
  const { messages, payloadBytes } = manifest;
  const events = [...(manifest.events ?? []), ...work.events];
  return {
    ...kept,
    ...(events.length === 0 ? {} : { events }),
    ...(key ? encryptedWith(key, Number(file.position()), request, kept) : {}),
    file: { name: manifest.file.name, ...digest, compression: 'zstd' },
    derived: {
      version: 1,
      source: { bytes, sha256, crc32, messages, payloadBytes },
      stages: work.stages(),
    },
  };
}

/** Members of the manifest of an encrypted file. */
function encryptedWith(
  key: ContentKey,
  plainBytes: number,
  { recipients }: TransformRequest,
  manifest: Manifest,
): Pick<Manifest, 'version' | 'key' | 'encryption'> {
  return {
    version: ENCRYPTED_VERSION,
    key: encryptedKey(manifest.key),
    encryption: factsOf(key, plainBytes, recipients, randomBytes, 2),
  };
}

function ruleOf(text: string): TransformRule {
  const rule = parseTransformRule(text);
  if (!rule) throw new HoldfastError('INTERNAL', `the rule "${text}" was not parsed before`);
  return rule;
}
