// Classes of Holdfast's own types, made at build: rclnodejs would make them at the first use, in its own folder,
// which at a start may be read-only.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.mjs';

const FOLDERS = { msg: /\.msg$/, srv: /\.srv$/ };

/**
 * The generator reads an install space: it is shown one that holds nothing but our definitions.
 *
 * @param prefix scratch folder; made again.
 */
export function generateOwnTypes({ tree, prefix, env }) {
  const rclnodejs = join(tree, 'node_modules', 'rclnodejs');
  const generated = join(rclnodejs, 'generated', 'holdfast');
  // Of an older Holdfast that is sourced too.
  rmSync(generated, { recursive: true, force: true });
  rmSync(prefix, { recursive: true, force: true });
  const index = join(prefix, 'share', 'ament_index', 'resource_index', 'rosidl_interfaces');
  mkdirSync(index, { recursive: true });
  const listed = [];
  for (const [folder, pattern] of Object.entries(FOLDERS)) {
    const source = join(tree, folder);
    if (!existsSync(source)) continue;
    for (const name of readdirSync(source).filter((one) => pattern.test(one))) {
      cpSync(join(source, name), join(prefix, 'share', 'holdfast', folder, name));
      listed.push(`${folder}/${name}`);
    }
  }
  writeFileSync(join(index, 'holdfast'), listed.map((name) => `${name}\n`).join(''));
  const worker = join(rclnodejs, 'rosidl_gen', 'generate_worker.cjs');
  run(process.execPath, [worker], { cwd: rclnodejs, env: { ...env, WORKER_TARGET_PATH: prefix } });
  const expected = listed.map((name) => `holdfast__${name.replace('/', '__').replace(/\.\w+$/, '.js')}`);
  const missing = expected.filter((name) => !existsSync(join(generated, name)));
  if (missing.length > 0) throw new Error(`rclnodejs made no ${missing.join(', ')} in ${generated}`);
}
