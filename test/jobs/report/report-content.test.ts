import assert from 'node:assert/strict';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { testMcap } from '../../support/test-mcap.js';
import { makeReport, scratch, topicCounts, type MadeReport } from './report-support.js';
import { HOSTILE_TOPIC, troubledRecording, type Troubled } from './troubled-recording.js';
import { firstOf } from '../../support/first-of.js';

const SEALED_1 = `${'0'.repeat(11)}1-${'1'.repeat(32)}`;

describe('a report of a drive with troubles', function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof scratch>>;
  let drive: Troubled;
  let made: MadeReport;

  before(async () => {
    folder = await scratch();
    drive = await troubledRecording(join(folder.path, 'rec'));
    made = await makeReport(folder.path, drive.folder.root);
  });
  after(() => folder[Symbol.asyncDispose]());

  it('counts every message of every topic as they were written', () => {
    assert.equal(made.run.exitCode, 0, made.run.stderr);
    assert.equal(made.json.messages, drive.messages);
    const known = [...drive.counts].filter(([topic]) => /^[\w/]+$/.test(topic)).toSorted();
    const shown = topicCounts(made.html);
    assert.ok(known.length > 15);
    for (const [topic, count] of known) assert.equal(shown.get(topic), count, topic);
  });

  it('answers in words: not whole, how much is missing and why, what went wrong', () => {
    const [whole, missing, wrong] = firstOf(3, made.json.answers);
    const lost = Object.values(drive.lost).reduce((sum, count) => sum + count, 0) + drive.evictedMessages;
    assert.equal(whole.headline, 'Not whole');
    assert.equal(missing.headline, `${lost} messages`);
    const said = missing.remarks.join('\n');
    assert.match(said, /40 messages dropped because their queue was full/);
    assert.match(said, /120 messages sent while the recorder was down/);
    assert.match(said, new RegExp(`${drive.evictedMessages} messages in 1 segment deleted by policy`));
    assert.match(said, /fell silent, 1[01]\.\d s at most/);
    const trouble = wrong.remarks.join('\n');
    assert.match(trouble, /ended once without being stopped/);
    assert.match(trouble, /clock was set once while recording, by −1,500 ms/);
    assert.match(trouble, /Diagnostics reported errors: .*motor <left>/);
    assert.match(trouble, /40 messages of .*broken_fix.*could not be decoded/);
    assert.equal(made.json.undecoded, 40);
  });

  it('shows for each segment its place and its verification', () => {
    assert.match(made.html, /s3:\/\/recordings\/fleet-a/);
    assert.match(made.html, /verified by the store&#39;s checksum/);
    assert.match(made.html, /7\.0 s after the seal/);
    assert.match(made.html, /evicted \(quota\)/);
    assert.match(made.html, /rover-pc/);
  });

  it('escapes every name', () => {
    assert.ok(!made.html.includes(HOSTILE_TOPIC));
    assert.ok(
      made.html.includes('&lt;/script&gt;&lt;script&gt;document.title=&quot;owned&quot;&lt;/script&gt;'),
    );
    assert.equal(present(made.html.match(/<script/g)).length, 1);
    // What turns the direction of writing, and what cannot be seen, stands there as a number.
    assert.ok(!/[\u202e\u0007]/.test(made.html));
    assert.match(made.html, /\\u\{202e\}gnp\.exe\\u\{7\}/);
  });

  it('is the same page again, but for the time it was made', async () => {
    const again = await makeReport(folder.path, drive.folder.root);
    const undated = (html: string): string => html.replace(/<time [^>]*>[^<]*<\/time>/, '');
    assert.match(made.html, /created\s<time [^>]*>20\d\d-/);
    assert.equal(undated(again.html), undated(made.html));
  });

  it('draws a chosen field, and reports if no topic has it as a number', async () => {
    const one = await makeReport(
      folder.path,
      drive.folder.root,
      '--topics',
      '*/odom',
      '--plot',
      '*/odom.pose.pose.position.y',
    );
    assert.equal(one.run.exitCode, 0, one.run.stderr);
    assert.match(one.html, /robot2\/odom pose\.pose\.position\.y/);
    const none = await makeReport(
      folder.path,
      drive.folder.root,
      '--topics',
      '*/odom',
      '--plot',
      '*/odom.header.frame_id',
    );
    assert.equal(none.run.exitCode, 3);
    assert.match(none.run.stderr, /frame_id: no topic has this field as a number/);
    assert.match(none.html, /no topic has this field as a number/);
  });

  it('reports the chosen robots and stretch of time alone', async () => {
    const { json, html } = await makeReport(
      folder.path,
      drive.folder.root,
      ...['--robots', 'robot2', '--from-time', '1795250020', '--to-time', '1795250030'],
    );
    const shown = topicCounts(html);
    assert.ok([...shown.keys()].every((topic) => topic.startsWith('/robot2/')));
    // 100 Hz over 10 s, times 0.4; the recorder received them 3 to 6 ms later.
    assert.ok(Math.abs(present(shown.get('/robot2/imu')) - 400) <= 2, String(shown.get('/robot2/imu')));
    assert.equal(
      json.messages,
      [...shown.values()].reduce((sum, count) => sum + count, 0),
    );
    assert.match(html, /Chosen: /);
  });

  it('reports all faults of its options at once, and writes nothing', async () => {
    const flags = ['--from-time', 'yesterday', '--plot', 'nodot', '--title', 'x'.repeat(300)];
    await using other = await scratch();
    const { run, html } = await makeReport(other.path, drive.folder.root, ...flags);
    assert.equal(run.exitCode, 2);
    for (const option of ['--from-time', '--plot', '--title']) assert.ok(run.stderr.includes(option), option);
    assert.equal(html, '');
  });

  it('reports the rest when a segment is damaged, names it and ends with 3', async () => {
    const name = `${SEALED_1}.robot2`;
    const path = join(drive.folder.sealed, `${name}.mcap`);
    const whole = await readFile(path);
    await truncate(path, Math.floor(whole.length / 2));
    try {
      const { run, json, html } = await makeReport(folder.path, drive.folder.root);
      assert.equal(run.exitCode, 3);
      assert.ok(json.messages > 0 && json.messages < drive.messages);
      assert.ok(json.problems.some(({ where }) => where.includes(name)));
      assert.match(html, /Not readable/);
      assert.equal(topicCounts(html).get('/robot1/imu'), drive.counts.get('/robot1/imu'));
    } finally {
      await writeFile(path, whole);
    }
  });
});

describe('a report of little', function () {
  this.timeout(60_000);

  it('is a page too when nothing lies in the range', async () => {
    await using folder = await scratch();
    const file = join(folder.path, 'a.mcap');
    await writeFile(file, await testMcap());
    const { run, html, json } = await makeReport(folder.path, file, '--from-time', '1990-01-01');
    assert.equal(run.exitCode, 0, run.stderr);
    assert.equal(json.answers[0]!.headline, 'There is no message');
    assert.match(html, /Nothing fits what was chosen/);
  });

  it('handles a single message, and messages of a single moment', async () => {
    await using folder = await scratch();
    for (const messages of [1, 4]) {
      const file = join(folder.path, 'a.mcap');
      await writeFile(file, await testMcap({ messages, stepNs: 0n }));
      const { run, html, json } = await makeReport(folder.path, file);
      assert.equal(run.exitCode, 0, run.stderr);
      assert.equal(json.messages, messages);
      assert.ok(!/NaN|Infinity|undefined/.test(html.replace(/<(style|script)>.*?<\/\1>/gs, '')));
    }
  });

  it('reports a folder that does not exist, or has nothing to report', async () => {
    await using folder = await scratch();
    const { run } = await makeReport(folder.path, join(folder.path, 'nowhere'));
    assert.equal(run.exitCode, 1);
    assert.match(run.stderr, /nowhere does not exist: give a data folder, a store, an MCAP file or/);
    // The cause is not repeated.
    assert.doesNotMatch(run.stderr, /ENOENT/);
    const { run: empty } = await makeReport(folder.path, folder.path);
    assert.equal(empty.exitCode, 1);
    assert.match(empty.stderr, /is not a data folder, a store, an MCAP file or a folder with MCAP files/);
  });
});
