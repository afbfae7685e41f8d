import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/logger.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { systemPorts } from '../../src/host/ports.js';
import { RecorderHost } from '../../src/recorder/recorder-host.js';
import { eventually } from '../../src/testing/waiting.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';

const [FIRST, SECOND, THIRD] = ['1ZZZ5A3T0RF000001', '1ZZZ5A3T0RF000002', '1ZZZ5A3T0RF000003'];

describe('VINs of segments', function () {
  this.timeout(30_000);

  it('are those of the parameters and then of channels, and a segment keeps those it was recorded with', async () => {
    await using place = await RecorderPlace.make();
    const puppet = new PuppetSource();
    const open = async (vins: string[]): Promise<RecorderHost> => {
      const ports = systemPorts(silentLogger);
      const options = place.options({ robot: 'robot1', vins });
      const host = new RecorderHost({ options, ports, openInputs: () => [puppet.input()] });
      await host.configure();
      await host.activate();
      return host;
    };
    const host = await open([FIRST]);
    for (const robot of ['robot1', 'robot2', 'constructor']) {
      const metadata = robot === 'constructor' ? { vin: 'not one' } : { vin: SECOND };
      puppet.emit(testMessage({ ...testChannel('/a', robot), metadata }, 'x'));
    }
    await eventually(() => host.status().totals.durable === 3, 'three messages are durable');
    const shown = host.status().robots.map(({ robot, vin }) => [robot, vin]);
    host.leaveUnsealed();
    await host.close();
    // Killed, and the computer went into another vehicle: the segment is of the first one.
    const again = await open([THIRD]);
    await eventually(async () => (await place.manifests()).length === 3, 'the segment is sealed');
    await again.close();
    const manifests = (await place.manifests()).sort((a, b) => (a.robot < b.robot ? -1 : 1));
    const vins = manifests.map(({ robot, vin }) => [robot, vin]);
    assert.deepEqual(vins, [
      ['constructor', undefined],
      ['robot1', FIRST],
      ['robot2', SECOND],
    ]);
    assert.deepEqual(shown.slice(0, 2), vins.slice(1));
    for (const { file, vin } of manifests) {
      const bytes = await fs.readFile(join(place.data, 'sealed', file.name));
      const [own] = await (await openMcap(bytesReadable(bytes), file.name)).metadata('holdfast');
      assert.equal(own?.metadata['vin'], vin, file.name);
    }
  });
});
