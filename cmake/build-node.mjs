// The part of the package that is not CMake's: dependencies, native add-ons, message classes and the compiled
// TypeScript, in a copy of the sources inside the build folder. Called at every build; each step runs when
// what it depends on changed.
//
//   node build-node.mjs --source DIR --build DIR [--npm PATH] [--npm-cache DIR] [--native-cache DIR] [--jobs N]
//                       [--without-tests]
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnvironment, toolEnvironment } from './node/environment.mjs';
import { mirror } from './node/mirror.mjs';
import { buildNative } from './node/native.mjs';
import { generateOwnTypes } from './node/own-types.mjs';
import { buildReceiver, receiverKey } from './node/receiver.mjs';
import { run } from './node/run.mjs';
import { hashFolder, hashOf, once } from './node/stamp.mjs';

const string = { type: 'string', default: '' };
const { values } = parseArgs({
  options: {
    ...{ source: string, build: string, npm: { type: 'string', default: 'npm' } },
    ...{ 'npm-cache': string, 'native-cache': string, jobs: string },
    'without-tests': { type: 'boolean', default: false },
  },
});

function main() {
  const [source, build] = [resolve(values.source), resolve(values.build)];
  const tree = join(build, 'node');
  const stamps = join(build, 'stamps');
  mkdirSync(stamps, { recursive: true });
  const environment = readEnvironment();
  const offline = values['npm-cache'] !== '';
  const env = toolEnvironment(offline);

  mirror(source, tree, values['without-tests'] ? ['test', 'bench'] : []);
  // Neither the copy nor the installation is a package of its own for colcon.
  for (const name of ['COLCON_IGNORE', 'AMENT_IGNORE']) writeFileSync(join(tree, name), '');
  copyFileSync(join(source, 'cmake', 'native-check.cjs'), join(tree, 'native-check.cjs'));

  const dependencies = dependenciesKey(tree, environment);
  once(stamps, 'dependencies', dependencies, () => {
    const cache = offline ? ['--offline', '--cache', resolve(values['npm-cache'])] : ['--prefer-offline'];
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    // Never --omit=dev: the compiler is among them. What is installed leaves them out.
    run(values.npm, ['ci', '--ignore-scripts', '--include=dev', '--include=optional', ...cache, ...quiet], {
      cwd: tree,
      env,
    });
  });
  const jobs = Number(values.jobs) || availableParallelism();
  once(stamps, 'native', dependencies, () =>
    buildNative({
      ...{ tree, environment, env, jobs },
      cache: values['native-cache'] === '' ? join(build, 'native') : resolve(values['native-cache']),
    }),
  );
  try {
    once(stamps, 'receiver', hashOf(dependencies, receiverKey(tree)), () =>
      buildReceiver({ tree, jobs, env }),
    );
  } catch (error) {
    // Holdfast works without it, so this fails no build. The next build tries again.
    console.error(`holdfast: ${error.message}`);
    console.error(
      'holdfast: without the native receiver, messages are received by rclnodejs, which costs more',
    );
  }
  const types = hashOf(
    dependencies,
    hashFolder(join(tree, 'msg'), /\.msg$/),
    hashFolder(join(tree, 'srv'), /\.srv$/),
  );
  once(stamps, 'types', types, () => generateOwnTypes({ tree, prefix: join(build, 'types'), env }));
  // It knows by itself whether something changed.
  run(process.execPath, [join('bin', 'build.mjs')], { cwd: tree, env });
}

function dependenciesKey(tree, environment) {
  const read = (name) => readFileSync(join(tree, name));
  return hashOf(read('package-lock.json'), read('.npmrc'), JSON.stringify(environment));
}

try {
  main();
} catch (error) {
  console.error(`holdfast: ${error.message}`);
  process.exitCode = 1;
}
