import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { parseTransformRule, type TransformRule } from '../../../src/core/transform/rule.js';
import { rulesInForce } from '../../../src/app/monitoring/rules-in-force.js';

const rule = (text: string): TransformRule => present(parseTransformRule(text));

describe('The rules of sync.transform for the uplink', () => {
  it('are those of the configuration before sync has told any, and both from then on, each once', () => {
    let told: readonly TransformRule[] | undefined = [];
    const own = [rule('/fix drop'), rule('/driver hash=name')];
    const rules = rulesInForce(own, { transform: () => told });
    assert.deepEqual(rules(), own);
    told = [rule('/driver hash=name'), rule('/battery zero=voltage')];
    const texts = ['/fix drop', '/driver hash=name', '/battery zero=voltage'];
    assert.deepEqual(
      rules()?.map(({ text }) => text),
      texts,
    );
    const before = rules();
    told = told.map(({ text }) => rule(text));
    assert.equal(rules(), before, 'the same rules are the same list');
    told = undefined;
    assert.equal(rules(), undefined);
    told = [];
    assert.deepEqual(rules(), own);
  });
});
