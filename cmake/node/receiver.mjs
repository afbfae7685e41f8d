// The add-on of the native receiver (native/): one per version of rcl and processor, for every version of Node.js.
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.mjs';
import { hashFolder, hashOf } from './stamp.mjs';

const ADDON = 'holdfast_receiver.node';

/** What the add-on depends on: its sources, and the rcl that is sourced. */
export function receiverKey(tree) {
  const folders = ['.', 'addon', 'core', 'ros'].map((name) => join(tree, 'native', name));
  const manifests = (process.env.AMENT_PREFIX_PATH ?? '')
    .split(':')
    .map((prefix) => join(prefix, 'share', 'rcl', 'package.xml'))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path));
  return hashOf(...folders.map((folder) => hashFolder(folder, /\.(cpp|hpp|gyp|mjs)$/)), ...manifests);
}

/** Compiles it in the copy, and leaves nothing else there. */
export function buildReceiver({ tree, jobs, env }) {
  const build = join(tree, 'native', 'build');
  const release = join(build, 'Release');
  run(process.execPath, [join('native', 'build.mjs'), `-j${jobs}`], { cwd: tree, env });
  if (!existsSync(join(release, ADDON))) throw new Error(`node-gyp succeeded, but ${ADDON} is not there`);
  const remove = (folder, kept) => {
    for (const name of readdirSync(folder)) {
      if (name !== kept) rmSync(join(folder, name), { recursive: true });
    }
  };
  remove(release, ADDON);
  remove(build, 'Release');
  console.log('holdfast: native receiver: compiled');
}
