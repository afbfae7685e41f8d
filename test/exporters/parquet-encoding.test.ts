import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { present } from '../../src/core/present.js';
import { parseExportOptions } from '../../src/jobs/export/parse-export-options.js';
import { parseSink, type SinkFault } from '../../src/settings/sink-spec.js';
import { defaultLakeEncoding, lakeForm, parseLakeLayout } from '../../src/settings/lake-layout.js';
import type { ConfigFault } from '../../src/settings/fault.js';
import { exportTo } from '../jobs/export/export-support.js';
import { duckdb, rowsOf } from '../support/duckdb.js';
import { recording } from '../support/recordings.js';

const codecs = { zstd: 'ZSTD', snappy: 'SNAPPY', none: 'UNCOMPRESSED' } as const;

describe('how Parquet is encoded', function () {
  this.timeout(60_000);
  let folder: string;
  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-parquet-'));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  for (const [compression, codec] of Object.entries(codecs)) {
    it(`is chosen for an export: ${compression}, row groups of 7, read back by two readers`, async () => {
      const to = join(folder, compression);
      const given = {
        format: 'parquet',
        topics: ['*/odom'],
        compression,
        rowGroup: 7,
        layout: '{robot}/{topic}',
      };
      const { ok, manifest } = await exportTo(recording('two_robots'), to, given);
      assert.ok(ok && manifest.files.length > 0);
      const connection = await duckdb();
      for (const { path, rows } of manifest.files) {
        const bytes = await fs.readFile(join(to, path));
        const file = new Uint8Array(bytes).buffer;
        const { row_groups: groups } = parquetMetadata(file);
        assert.ok(groups.every(({ num_rows: count }) => count <= 7n));
        assert.equal(groups.length, Math.ceil(rows / 7));
        const used = new Set(
          groups.flatMap(({ columns }) => columns.map(({ meta_data }) => present(meta_data).codec)),
        );
        assert.deepEqual([...used], [codec]);
        assert.equal((await parquetReadObjects({ file, compressors })).length, rows);
        const [counted] = await rowsOf(
          connection,
          `SELECT count(*) AS n, count(DISTINCT log_time) AS t FROM read_parquet('${join(to, path)}')`,
        );
        assert.ok(counted);
        assert.equal(counted['n'], BigInt(rows));
      }
    });
  }

  it('is refused if it is not known, and if it has no meaning', () => {
    for (const [given, path] of [
      [{ format: 'parquet', compression: 'lz4' }, 'compression'],
      [{ format: 'mcap', compression: 'snappy' }, 'compression'],
      [{ format: 'csv', rowGroup: '10' }, 'row-group'],
      [{ format: 'parquet', rowGroup: '1.5' }, 'row-group'],
    ] as const) {
      const faults: ConfigFault[] = [];
      assert.equal(parseExportOptions(given, faults), undefined);
      assert.deepEqual(
        faults.map((fault) => fault.path),
        [path],
      );
    }
  });

  it('is chosen for a lake, which is another lake then, while lakes of before keep their form', () => {
    const faults: SinkFault[] = [];
    const sink = present(parseSink('parquet:dir:/lake?compression=snappy&row_group=1000', faults));
    assert.deepEqual([sink.encoding, faults], [{ codec: 'snappy', rowGroupRows: 1_000 }, []]);
    assert.equal(parseSink('parquet:dir:/lake?compression=lzo&row_group=0', faults), undefined);
    assert.deepEqual(
      faults.map(({ value }) => value),
      ['compression=lzo', 'row_group=0'],
    );
    const layout = present(parseLakeLayout(undefined, undefined, () => assert.fail()));
    assert.equal(lakeForm(layout, undefined), lakeForm(layout, undefined, defaultLakeEncoding));
    assert.notEqual(lakeForm(layout, undefined), lakeForm(layout, undefined, sink.encoding));
  });
});
