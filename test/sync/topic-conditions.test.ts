import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { parseAlternative, type Alternative } from '../../src/core/send-policy/condition.js';
import {
  SEND_POLICY_FILE,
  sendPolicyFiles,
  type SendPolicyFile,
} from '../../src/core/send-policy/policy-record.js';
import { CONDITION_VALUES_FILE } from '../../src/core/send-policy/topic-values.js';
import { newIdentity, recipientName, recipientOf } from '../../src/encryption/wrapped-key.js';
import type { SyncGroup } from '../../src/sync/sync-group.js';
import { eventually } from '../../src/testing/waiting.js';
import { MemoryStore } from '../support/memory-store.js';
import { openGroup, sinkOf } from './group-world.js';
import { KIB, SetClock, SyncWorld } from './sync-world.js';

const when = (...texts: string[]): Alternative[] => texts.map((text) => present(parseAlternative(text)));
const NOON = BigInt(Date.parse('2026-12-01T12:00:00Z')) * 1_000_000n;
const S = 1_000_000_000n;

describe('conditions of topics in sync', () => {
  let world: SyncWorld;
  let store: MemoryStore;
  let clock: SetClock;
  let group: SyncGroup | undefined;

  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
    clock = new SetClock(NOON);
  });
  afterEach(async () => {
    await group?.close();
    group = undefined;
    await world[Symbol.asyncDispose]();
  });

  const told = async (): Promise<SendPolicyFile> =>
    sendPolicyFiles.parse(
      await fs.readFile(join(world.folder.root, SEND_POLICY_FILE), 'utf8'),
      SEND_POLICY_FILE,
    );
  /** As the recorder does. */
  const tell = (value: boolean, at = clock.wall): Promise<void> => {
    const one = { topic: '/docked', field: 'data', robot: 'r1', at: String(at), value };
    const text = JSON.stringify({ version: 1, values: [one] });
    return fs.writeFile(join(world.folder.root, CONDITION_VALUES_FILE), text);
  };
  const waits = (words: RegExp): Promise<unknown> =>
    eventually(() => words.test(group?.status().sendPolicy?.reason ?? ''), String(words));

  it('keep segments waiting until the recorder writes that the field is true, and again when it is too old', async () => {
    await world.seal(2 * KIB);
    const options = { conditionPollMs: 5, when: when('topic=/docked') };
    group = await openGroup(world, [sinkOf(store)], { clock, options: { ...options } });
    void group.run(new AbortController().signal);
    await waits(/^topic=\/docked \(unknown: no recorder has written values of topics\)$/);
    await tell(false);
    await waits(/^topic=\/docked \(data of \/docked is false\)$/);
    assert.equal(group.status().segments.verified, 0);
    await tell(true);
    await eventually(() => group?.status().segments.verified === 1, 'sent at the dock');
    clock.wall += 61n * S;
    await waits(/unknown: the last message of \/docked is older than 60 s/);
    await world.seal(2 * KIB);
    await eventually(() => group?.status().sendPolicy?.waiting.segments === 1, 'the second waits');
    await fs.writeFile(join(world.folder.root, CONDITION_VALUES_FILE), '{');
    await waits(/unknown: condition-values.json is damaged/);
    await tell(true);
    await eventually(() => group?.status().segments.verified === 2, 'sent again');
  });

  it('reach the recorder with the whole policy of each sink, and again when it changes', async () => {
    const other = new MemoryStore();
    const recipients = [recipientOf(newIdentity())];
    const own = {
      when: when('topic=/a:x>1'),
      budgetBytesPerDay: 8 * KIB,
      upload: 'events' as const,
      recipients,
    };
    const sinks = [sinkOf(store, { name: 'a', ...own }), sinkOf(other, { name: 'b' })] as const;
    const options = { when: when('topic=/docked metered=no', 'topic=/docked'), pass: ['events' as const] };
    group = await openGroup(world, [sinks[0], sinks[1]], { options });
    const [first, second] = (await told()).sinks;
    assert.deepEqual(first, {
      ...{
        name: 'a',
        upload: 'events',
        when: ['topic=/a:x>1'],
        budgetBytesPerDay: 8 * KIB,
        pass: ['events'],
      },
      recipients: recipients.map(recipientName),
    });
    const rest = { upload: 'all', budgetBytesPerDay: 0, pass: ['events'], recipients: [] };
    assert.deepEqual(second, { name: 'b', when: ['topic=/docked metered=no', 'topic=/docked'], ...rest });
    assert.equal((await told()).topicMaxAgeMs, 60_000);
    group.reconfigure({ when: when('topic=/charging'), topicMaxAgeMs: 5_000 });
    await eventually(async () => (await told()).topicMaxAgeMs === 5_000, 'told');
    assert.deepEqual(
      (await told()).sinks.map((sink) => sink.when),
      [['topic=/a:x>1'], ['topic=/charging']],
    );
  });

  it('reach the recorder with the rules of sync.transform, and again when these change', async () => {
    let rules = ['/driver drop'];
    const changed = { name: 'a', transform: () => rules };
    group = await openGroup(world, [sinkOf(store, changed), sinkOf(new MemoryStore(), { name: 'b' })]);
    const transforms = async (): Promise<unknown> => (await told()).sinks.map(({ transform }) => transform);
    assert.deepEqual(await transforms(), [['/driver drop'], undefined]);
    rules = ['/driver hash=name'];
    group.transformChanged();
    await eventually(
      async () => JSON.stringify(await transforms()) === '[["/driver hash=name"],null]',
      'told',
    );
  });
});
