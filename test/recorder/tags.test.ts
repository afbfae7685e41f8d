import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { parseTag, parseTagLines, TAGS_MAX } from '../../src/core/tags.js';
import { systemPorts } from '../../src/host/ports.js';
import { RecorderHost } from '../../src/recorder/recorder-host.js';
import type { RawFlags } from '../../src/settings/resolve.js';
import { eventually } from '../../src/testing/waiting.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';

describe('tags', function () {
  this.timeout(30_000);
  const ports = systemPorts(silentLogger);
  let place: RecorderPlace;
  let puppet: PuppetSource;
  let host: RecorderHost;

  beforeEach(async () => {
    place = await RecorderPlace.make();
    puppet = new PuppetSource();
  });
  afterEach(async () => {
    await host.close();
    await place[Symbol.asyncDispose]();
  });

  async function open(flags: RawFlags = {}): Promise<void> {
    host = new RecorderHost({
      options: place.options(flags),
      ports,
      openInputs: () => [puppet.input()],
    });
    await host.configure();
    await host.activate();
  }

  async function record(text: string): Promise<void> {
    const { durable } = host.status().totals;
    puppet.emit(testMessage(testChannel('/a'), text));
    await eventually(() => host.status().totals.durable === durable + 1, `${text} is durable`);
  }

  it('stand in the manifest and the MCAP of every segment from the moment they hold, until the next change', async () => {
    await open();
    await record('before');
    assert.deepEqual(await host.setTags({ site: 'north', mission: 'Größe 3' }), {
      mission: 'Größe 3',
      site: 'north',
    });
    await record('with both');
    await host.setTags({ site: '' });
    await record('with one');
    await host.close();
    const manifests = await place.manifests();
    assert.deepEqual(
      manifests.map(({ tags }) => tags),
      [undefined, { mission: 'Größe 3', site: 'north' }, { mission: 'Größe 3' }],
    );
    const recorded = await Promise.all(
      manifests.map(async ({ file }) => {
        const bytes = await fs.readFile(join(place.data, 'sealed', file.name));
        return (await openMcap(bytesReadable(bytes), file.name)).metadata('holdfast_tags');
      }),
    );
    assert.deepEqual(
      recorded.map((records) => records.map(({ metadata }) => ({ ...metadata }))),
      [[], [{ mission: 'Größe 3', site: 'north' }], [{ mission: 'Größe 3' }]],
    );
  });

  it('survive a restart; a tag whose configuration changed since takes the new value', async () => {
    const tags = ['mission=m1', 'site=north'];
    await open({ tags });
    await host.setTags({ mission: 'm2', operator: 'ada' });
    await host.close();
    await open({ tags });
    assert.deepEqual(host.status().tags, { mission: 'm2', operator: 'ada', site: 'north' });
    await host.close();
    await open({ tags: ['mission=m9'] });
    assert.deepEqual(host.status().tags, { mission: 'm9', operator: 'ada' });
    await record('x');
    await host.close();
    assert.deepEqual((await place.manifests())[0]?.tags, { mission: 'm9', operator: 'ada' });
  });

  it('of a segment that a killed recorder left are those it was recorded with', async () => {
    await open();
    await host.setTags({ mission: 'm1' });
    await record('x');
    host.leaveUnsealed();
    await host.close();
    assert.deepEqual(await fs.readdir(join(place.data, 'sealed')), []);
    await fs.rm(join(place.data, 'tags.json'));
    await open({ tags: ['mission=m2'] });
    await eventually(async () => (await place.manifests()).length === 1, 'the earlier segment is sealed');
    assert.deepEqual((await place.manifests())[0]?.tags, { mission: 'm1' });
  });

  it('follow a live change of the parameter', async () => {
    await open({ tags: ['mission=m1'] });
    host.reconfigure(place.options({ tags: ['mission=m2'] }));
    await eventually(() => host.status().tags?.['mission'] === 'm2', 'the new tag holds');
  });

  it('that are no tags, or too many, are refused and change nothing', async () => {
    await open();
    const refused = (error: unknown): boolean => isHoldfastError(error, 'REQUEST_INVALID');
    for (const bad of [
      { 'a b': 'x' },
      { A: 'x' },
      { a: 'x\u2028y' },
      { a: '\ud800' },
      { a: 'x'.repeat(201) },
    ]) {
      await assert.rejects(host.setTags(bad), refused, JSON.stringify(bad));
    }
    const many = Object.fromEntries(Array.from({ length: TAGS_MAX + 1 }, (_, i) => [`t${i}`, 'x']));
    await assert.rejects(host.setTags(many), /there would be 33 tags, allowed: at most 32/);
    assert.deepEqual(host.status().tags, {});
  });

  it('are read from text in one form', async () => {
    host = new RecorderHost({ options: place.options(), ports, openInputs: () => [] });
    assert.deepEqual(parseTag('mission = a=b '), ['mission', 'a=b']);
    assert.equal(parseTag('mission'), undefined);
    assert.deepEqual(parseTagLines('a=1; b = 2\nc'), { a: '1', b: '2', c: '' });
    assert.throws(() => place.options({ tags: ['a=1', 'a=2'] }), /each name once/);
    assert.throws(() => place.options({ tags: ['A=1'] }), /tags .*name=value/);
    await host.close();
  });
});
