import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeopleRegistry } from '../../src/ground/people-registry.js';
import { RobotRegistry, type RegistryPorts } from '../../src/ground/robot-registry.js';
import { SimulatedClock } from '../support/simulated-clock.js';

const ROBOT = 'robot_7';

/** The same time and the same token each time. */
function fixedPorts(): RegistryPorts {
  const clock = new SimulatedClock();
  clock.nowMs = 1_700_000_000_000;
  return { fs, clock, random: (count) => new Uint8Array(count).fill(7) };
}

function registryIn(folder: string): RobotRegistry {
  return new RobotRegistry(folder, fixedPorts());
}

/** The files of a ground's folder: what this version writes there, and what it takes from an earlier one. */
export const goldenGround = [
  {
    ...{ format: 'ground', file: `${ROBOT}.json`, value: ROBOT },
    async write(folder: string): Promise<void> {
      const ground = await fs.mkdtemp(`${folder}-written-`);
      await registryIn(ground).enrol(ROBOT);
      await fs.rename(join(ground, 'robots', `${ROBOT}.json`), join(folder, `${ROBOT}.json`));
      await fs.rm(ground, { recursive: true });
    },
    async read(folder: string): Promise<unknown> {
      const ground = await copyInto('robots', folder, `${ROBOT}.json`);
      const elsewhere = await fs.mkdtemp(`${ground}-token-`);
      const token = await registryIn(elsewhere).enrol(ROBOT);
      try {
        return await registryIn(ground).admit(token);
      } finally {
        await Promise.all([ground, elsewhere].map((one) => fs.rm(one, { recursive: true })));
      }
    },
  },
  {
    ...{ format: 'ground', file: 'user.json', value: { user: ROBOT, role: 'operator' } },
    async write(folder: string): Promise<void> {
      const ground = await fs.mkdtemp(`${folder}-written-`);
      await new PeopleRegistry(ground, fixedPorts()).add(ROBOT, 'operator');
      await fs.rename(join(ground, 'users', `${ROBOT}.json`), join(folder, 'user.json'));
      await fs.rm(ground, { recursive: true });
    },
    async read(folder: string): Promise<unknown> {
      const ground = await copyInto('users', folder, 'user.json');
      const elsewhere = await fs.mkdtemp(`${ground}-token-`);
      const token = await new PeopleRegistry(elsewhere, fixedPorts()).add(ROBOT, 'viewer');
      try {
        const found = await new PeopleRegistry(ground, fixedPorts()).admit(token);
        return found === undefined ? undefined : { user: found.user, role: found.role };
      } finally {
        await Promise.all([ground, elsewhere].map((one) => fs.rm(one, { recursive: true })));
      }
    },
  },
  {
    ...{ format: 'ground', file: 'epoch.json', value: 2 },
    async write(folder: string): Promise<void> {
      const ground = await fs.mkdtemp(`${folder}-written-`);
      await registryIn(ground).nextEpoch(ROBOT);
      await fs.rename(join(ground, 'epochs', `${ROBOT}.json`), join(folder, 'epoch.json'));
      await fs.rm(ground, { recursive: true });
    },
    async read(folder: string): Promise<unknown> {
      const ground = await copyInto('epochs', folder, 'epoch.json');
      try {
        return await registryIn(ground).nextEpoch(ROBOT);
      } finally {
        await fs.rm(ground, { recursive: true });
      }
    },
  },
];

async function copyInto(part: string, folder: string, file: string): Promise<string> {
  const ground = await fs.mkdtemp(join(tmpdir(), 'holdfast-golden-ground-'));
  await fs.mkdir(join(ground, part));
  await fs.copyFile(join(folder, file), join(ground, part, `${ROBOT}.json`));
  return ground;
}
