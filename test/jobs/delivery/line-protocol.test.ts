import assert from 'node:assert/strict';
import { formatLine, lineHead } from '../../../src/jobs/delivery/line-protocol.js';

describe('InfluxDB line protocol', () => {
  it('escapes what separates the parts of a line', () => {
    const head = lineHead({ measurement: 'a b,c=d', tags: { 'k =,': 'v =,"\\x' } });
    assert.equal(head, 'a\\ b\\,c=d,k\\ \\=\\,=v\\ \\=\\,"\\x');
    assert.equal(formatLine(head, [{ name: 'f 1', value: 2 }], 5n), `${head} f\\ 1=2 5`);
  });

  it('lets no text end its line or escape the separator after it', () => {
    assert.equal(lineHead({ measurement: 'm', tags: { t: 'a\nb\r\u2028c' } }), 'm,t=a_b__c');
    assert.equal(lineHead({ measurement: 'm\\', tags: { t: 'end\\', u: 'a\\ b' } }), 'm_,t=end_,u=a_\\ b');
  });

  it('sorts tags by name and leaves out empty ones', () => {
    assert.equal(
      lineHead({ measurement: 'm', tags: { vin: '', topic: 't', robot: 'r' } }),
      'm,robot=r,topic=t',
    );
  });

  it('writes doubles so that they read back the same', () => {
    const values = [0.1, -3, 1e21, 1e-7, 2 ** 53, -1.5e300];
    for (const value of values) {
      const [, text] = /x=(\S+) /.exec(formatLine('m', [{ name: 'x', value }], 1n)) ?? [];
      assert.equal(Number(text), value);
    }
  });
});
