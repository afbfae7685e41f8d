import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../src/host/system-clock.js';
import { openStore } from '../../../src/stores/open-store.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { sealTexts, sinkOf, transformer } from '../transform/transform-world.js';
import { makeReport, scratch } from './report-support.js';

/** The text of the section, without marks and white space. */
function sectionOf(html: string): string {
  const [, section = ''] = /<section[^>]* id="transform"(.*?)<\/section>/s.exec(html) ?? [];
  return section
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

describe('a report of segments that sync.transform changed', function () {
  this.timeout(60_000);
  const ports = { fileSystem: fs, clock: systemClock, random: randomBytes };

  it('has the sums of each rule over the segments of a store, and of copies that the data folder still has', async () => {
    await using folder = await scratch();
    await using world = await SyncWorld.create();
    for (let index = 0; index < 3; index++) await sealTexts(world, ['/driver', '/speed'], true);
    await using work = transformer(['/driver zero=data', '/speed drop']);
    const uri = `dir:${join(folder.path, 'store')}`;
    await fs.mkdir(join(folder.path, 'store'));
    await using store = await openStore(uri, {}, ports);
    const summary = await world.drain(store, { sink: sinkOf(work) });
    assert.deepEqual(summary.segments, { verified: 3, parked: 0, pending: 0 });

    const whole = /3 segments changed by sync.transform 120 messages with .* became 60 messages/;
    const driver = /\/driver zero=data fields 3 0 60 0 0/;
    const ofStore = await makeReport(folder.path, uri);
    assert.equal(ofStore.run.exitCode, 0, ofStore.run.stderr);
    assert.match(sectionOf(ofStore.html), whole);
    assert.match(sectionOf(ofStore.html), driver);
    assert.match(sectionOf(ofStore.html), /\/speed drop fields 3 0 0 60 0/);

    const ofFolder = await makeReport(folder.path, world.folder.root);
    assert.match(sectionOf(ofFolder.html), whole);
    assert.match(sectionOf(ofFolder.html), driver);

    const copies = (await fs.readdir(world.folder.transformed)).filter((name) => name.endsWith('.json'));
    assert.equal(copies.length, 3);
    for (const name of copies.slice(1)) await fs.rm(join(world.folder.transformed, name));
    const later = sectionOf((await makeReport(folder.path, world.folder.root)).html);
    assert.match(later, /3 segments changed by sync.transform 40 messages/);
    assert.match(later, /\/driver zero=data fields 1 0 20 0 0/);
    assert.match(later, /The numbers are of 1 segment: the data folder no longer has the other copies/);
  });

  it('has no such section if nothing was changed', async () => {
    await using folder = await scratch();
    await using world = await SyncWorld.create();
    await sealTexts(world);
    const { run, html } = await makeReport(folder.path, world.folder.root);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.doesNotMatch(html, /Changes before sending/);
  });
});
