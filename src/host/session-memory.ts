import * as fs from 'node:fs/promises';

const KIBIBYTE = 1024;

/**
 * Resident bytes of all processes of a session: of a process that was started with a session of its own, and of
 * everything that it started. 0 if none is left, or without /proc.
 */
export async function sessionMemory(session: number, proc = '/proc'): Promise<number> {
  const names = await fs.readdir(proc).catch(() => []);
  const sizes = await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map((name) => residentIn(`${proc}/${name}`, session)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function residentIn(folder: string, session: number): Promise<number> {
  try {
    const stat = await fs.readFile(`${folder}/stat`, 'utf8');
    // The name in brackets may hold anything; after it: state, parent, group, session.
    const [, , , own] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(own) !== session) return 0;
    const [, kibibytes = '0'] =
      /^VmRSS:\s*(\d+) kB$/m.exec(await fs.readFile(`${folder}/status`, 'utf8')) ?? [];
    return Number(kibibytes) * KIBIBYTE;
  } catch {
    return 0; // it has ended
  }
}
