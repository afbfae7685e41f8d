import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/host/version.js';

const folder = join(packageRoot, 'msg');
const messages = readdirSync(folder).filter((name) => name.endsWith('.msg'));

describe('ROS messages', () => {
  it('have a comment above every field', () => {
    for (const name of messages) {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n');
      lines.forEach((line, index) => {
        const isField = line !== '' && !line.startsWith('#') && !line.includes('=');
        if (isField) assert.match(lines[index - 1]!, /^# \S/, `${name}:${index + 1}: ${line}`);
      });
    }
  });

  it('have a unit for every number', () => {
    const unit = /count|bytes|seconds|metres|radians|watts|joules|per second|constants|0 to 1|id\b/i;
    for (const name of messages) {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n');
      lines.forEach((line, index) => {
        const isNumber = /^u?(int|float)\d+(\[\])? \w+$/.test(line);
        if (isNumber) assert.match(lines[index - 1]!, unit, `${name}:${index + 1}: ${line}`);
      });
    }
  });

  it('are all built', () => {
    const cmake = readFileSync(join(packageRoot, 'CMakeLists.txt'), 'utf8');
    assert.match(cmake, /GLOB interfaces [^)]*msg\/\*\.msg srv\/\*\.srv/);
    const generated = /rosidl_generate_interfaces\(([^)]*)\)/.exec(cmake)?.[1] ?? '';
    assert.ok(generated.includes('${interfaces}'), generated);
  });
});
