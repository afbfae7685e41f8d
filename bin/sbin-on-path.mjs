// Debian keeps `mkfs.ext4`, `nats-server` and others in folders that the PATH of an ordinary user lacks. Anyone who
// starts programs for the tests imports this first (.mocharc.json, bin/test.mjs).
import { delimiter } from 'node:path';

const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
const missing = ['/usr/local/sbin', '/usr/sbin', '/sbin'].filter((folder) => !folders.includes(folder));
process.env.PATH = [...folders, ...missing].join(delimiter);
