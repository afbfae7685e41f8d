import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The add-on in `folder` that was compiled elsewhere for this distribution of ROS, release of Linux and processor:
 * `linux-<arch>/<distro>-<codename>-<arch>-<name>.node`, the layout of rclnodejs.
 *
 * @returns undefined if it does not exist.
 */
export function prebuiltAddOn(folder: string, distro: string, name: string): string | undefined {
  if (process.platform !== 'linux' || distro.includes('/')) return undefined;
  let codename: string | undefined;
  try {
    codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]?.trim();
  } catch {
    return undefined;
  }
  if (codename === undefined) return undefined;
  const path = join(folder, `linux-${process.arch}`, `${distro}-${codename}-${process.arch}-${name}.node`);
  return existsSync(path) ? path : undefined;
}
