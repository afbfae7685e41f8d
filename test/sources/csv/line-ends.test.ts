import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import { readConfigFile } from '../../../src/settings/config-file.js';
import { createCsvSource } from '../../../src/sources/csv/csv-source.js';
import { logLines } from '../../../src/sources/csv/log-lines.js';
import { parseQosOverrides } from '../../../src/sources/ros/qos-overrides.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { Probe, recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';

const ENDS = { LF: '\n', CRLF: '\r\n', CR: '\r' };

describe('a text file of any line ends', () => {
  let path: string;
  beforeEach(async () => {
    path = join(await fs.mkdtemp(join(tmpdir(), 'holdfast-line-ends-')), 'log.csv');
  });
  afterEach(() => fs.rm(join(path, '..'), { recursive: true, force: true }));

  async function replayed(text: string | Buffer): Promise<{ rows: number; gaps: number; lines: LogLine[] }> {
    await fs.writeFile(path, text);
    const lines: LogLine[] = [];
    const uri = parseSourceUri(`csv:${path}?rate=1&speed=max`);
    const source = await createCsvSource(uri, { fs, drivesFolder: '/nowhere' });
    const probe = await new Probe(source, { logger: recordingLogger(lines) }).end();
    const rows = probe.messages.filter(({ channel }) => channel.topic.endsWith('/telemetry')).length;
    return { rows, gaps: probe.events.filter(({ kind }) => kind === 'gap').length, lines };
  }

  for (const [name, end] of Object.entries(ENDS)) {
    it(`gives the rows of a drive log: ${name}`, async () => {
      for (const last of ['', end, end + end]) {
        const { rows, gaps } = await replayed(['speed,x', '1,2', '', '3,4'].join(end) + last);
        assert.deepEqual({ rows, gaps }, { rows: 2, gaps: 0 });
      }
    });

    it(`numbers the lines of a log across its chunks: ${name}`, async () => {
      const texts = Array.from({ length: 9000 }, (_, i) => `${i},${'x'.repeat(i % 23)}`);
      await fs.writeFile(path, texts.join(end));
      await using handle = await fs.open(path);
      const found: (string | undefined)[] = [];
      for await (const lines of logLines(handle, new AbortController().signal)) {
        for (const { number, text } of lines) found[number - 1] = text;
      }
      assert.deepEqual(found, texts);
    });

    it(`is no empty configuration: ${name}`, () => {
      const text = ['# mine', 'holdfast_recorder:', '  ros__parameters:', '    data: rec', ''].join(end);
      const { entries, faults } = readConfigFile(text, 'holdfast.yaml');
      assert.deepEqual(faults, []);
      assert.deepEqual(
        entries.map(({ raw }) => raw),
        ['rec'],
      );
    });

    it(`is no empty list of QoS overrides: ${name}`, () => {
      const text = ['# mine', '/imu:', '  reliability: best_effort', ''].join(end);
      assert.equal(parseQosOverrides(text, 'qos.yaml').size, 1);
    });
  }

  it('warns of a log with a header and no row', async () => {
    for (const text of ['speed,x', 'speed,x\r', 'speed,x\n\n\n']) {
      const { rows, lines } = await replayed(text);
      assert.equal(rows, 0);
      assert.ok(
        lines.some(({ level, event }) => level === 'warn' && event === 'the log has a header but no rows'),
      );
    }
  });

  it('refuses a log in UTF-16', async () => {
    await assert.rejects(replayed(Buffer.from('\ufeffspeed,x\n1,2\n', 'utf16le')), (error: unknown) => {
      assert.ok(isHoldfastError(error));
      assert.match(error.message, /UTF-16/);
      return true;
    });
  });
});
