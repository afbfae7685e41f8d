import { defined } from '../../../core/defined.js';
import { ENCRYPTED_END } from '../../../core/manifest.js';
import { configInvalid } from '../../../settings/fault.js';
import type { BagFiles, WrittenBag } from '../../../recordings/write-bags.js';
import type { Problem } from '../../../recordings/segments.js';
import type { CommandDefinition } from '../command-definition.js';
import { addBagForm, bagFormOf } from '../bag-form.js';
import { addIdentityFlag } from '../identity-option.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanCount } from '../../../host/human.js';
import { FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

const WAYS: readonly BagFiles[] = ['refer', 'link', 'copy'];

export const bagCommand: CommandDefinition = {
  name: 'bag',
  summary: 'write metadata.yaml, which turns folders of segments into rosbag2 bags',
  description:
    'Writes one metadata.yaml per robot (and priority class), so that ros2 bag info and play read all ' +
    'its segments as one bag in time order. The segments do not change. For a data folder the file is ' +
    'in DATA/bags/ROBOT. For a folder store it is in robot=ROBOT. For a folder with the files of one ' +
    'robot it is in that folder, otherwise in OUTPUT/ROBOT. With --files link or copy the bag has its ' +
    'own files. They stay when segments are evicted, and their names suit ros2 bag reindex. The ' +
    'command reports what ros2 bag cannot read (exit code 3).',
  examples: [
    ['holdfast bag rec', 'then: ros2 bag play rec/bags/robot_1'],
    ['holdfast bag dir:/mnt/nas/recordings', 'then: ros2 bag info /mnt/nas/recordings/robot=robot_1'],
    ['holdfast bag s3://recordings/fleet-a --only-robot robot_1 --files copy -o bags', 'downloads'],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .argument('[from]', FROM_HELP)
      .option('-o, --output <folder>', 'folder for one bag per robot')
      .option(
        '--files <refer|link|copy>',
        'refer to the files in place, hard-link them, or copy them',
        'refer',
      )
      .option('--only-robot <name...>', 'only these robots, by name or VIN; * stands for any text of a name');
    addBagForm(command);
    addIdentityFlag(command);
  },
  async run(invocation) {
    const { options, stop, terminal } = invocation;
    const files = options['files'] as BagFiles;
    if (!WAYS.includes(files)) {
      const allowed = `allowed: ${WAYS.join(', ')}`;
      throw configInvalid([{ where: '--files', path: 'files', value: files, allowed }]);
    }
    const form = bagFormOf(invocation);
    await using reading = await openReading(invocation, { storeAlone: true });
    const { located } = reading;
    const output = options['output'] as string | undefined;
    const isRemote = located.kind === 'store' && !located.store.uri.startsWith('dir:');
    if (isRemote && (files !== 'copy' || output === undefined)) {
      const allowed = 'a bag of remote objects needs --files copy and --output';
      throw configInvalid([{ where: '--files', path: 'files', value: files, allowed }]);
    }
    const problems: Problem[] = [];
    const onProblem = (problem: Problem): void => {
      problems.push(problem);
      reading.onProblem(problem);
    };
    const { writeBags } = await import('../../../recordings/write-bags.js');
    const chosen = await reading.robotsNamed(options['onlyRobot'] as readonly string[] | undefined);
    const { robots } = chosen;
    const segments = await reading.segments(chosen);
    if (files !== 'copy' && segments.some(({ name }) => name.endsWith(ENCRYPTED_END))) {
      const allowed = 'a bag of encrypted segments needs --files copy: it holds their plain copies';
      throw configInvalid([{ where: '--files', path: 'files', value: files, allowed }]);
    }
    const bags = await writeBags(segments, located, {
      ...{ files, form },
      ...defined({ output, robots }),
      fs: reading.copyFs,
      onProblem,
      onProgress: (name) => terminal.live(name),
      signal: stop.signal,
    }).finally(() => terminal.live(''));
    for (const bag of bags) await invocation.say(line(bag));
    if (bags.length === 0) await invocation.say('nothing that could be a bag was found');
    const ok = problems.length === 0;
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, bags, problems } };
  },
};

function line({ path, files, messages, carried }: WrittenBag): string {
  const kept = carried > 0 ? `, ${humanCount(carried)} of them carried` : '';
  return `${path}: ${humanCount(messages)} messages${kept} in ${humanCount(files)} files`;
}
