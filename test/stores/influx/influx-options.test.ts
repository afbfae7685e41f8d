import assert from 'node:assert/strict';
import {
  describeInflux,
  parseInfluxOptions,
  writeAddress,
} from '../../../src/stores/influx/influx-options.js';

function parse(
  address: string,
  options: Record<string, string>,
): { place: string; write: string; faults: string[] } {
  const faults: string[] = [];
  const parsed = parseInfluxOptions(address, new Map(Object.entries(options)), (value, allowed) =>
    faults.push(`${value}: ${allowed}`),
  );
  return { place: describeInflux(parsed), write: writeAddress(parsed), faults };
}

describe('the options of a time-series sink', () => {
  it('address version 1 by database and version 2 by bucket', () => {
    const one = parse('http://host:8086/', { db: 'a b', rp: 'week' });
    assert.deepEqual(one, {
      ...{ place: 'influx:http://host:8086?db=a+b&rp=week', faults: [] },
      write: 'http://host:8086/write?db=a+b&rp=week&precision=ns',
    });
    const two = parse('https://host/influx', { bucket: 'b', org: 'o' });
    assert.equal(two.write, 'https://host/influx/api/v2/write?org=o&bucket=b&precision=ns');
  });

  it('name every fault and repeat no secret', () => {
    assert.match(parse('http://host', {}).faults.join(), /one of db=NAME and bucket=NAME/);
    assert.match(parse('http://host', { db: 'a', bucket: 'b' }).faults.join(), /one of db=NAME and bucket/);
    assert.match(parse('http://host', { db: 'a', org: 'o' }).faults.join(), /org: only with bucket/);
    assert.match(parse('http://host', { bucket: 'a', rp: 'o' }).faults.join(), /rp: only with db/);
    assert.match(parse('ftp://host', { db: 'a' }).faults.join(), /followed by http:/);
    const { faults } = parse('http://fleet:hunter2@host', { db: 'a\n' });
    assert.equal(faults.length, 2);
    assert.match(faults.join(), /HOLDFAST_INFLUX_TOKEN or token_file/);
    assert.ok(!faults.join().includes('hunter2'));
  });
});
