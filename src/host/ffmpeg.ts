import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROBE_MS = 10_000;

/** Its name and version, such as "ffmpeg 5.1.6-0+deb12u1"; undefined: it does not say. */
export async function ffmpegRelease(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ffmpeg', ['-version'], { timeout: PROBE_MS });
    const [, version] = /^ffmpeg version (\S{1,200})/.exec(stdout) ?? [];
    return version === undefined ? undefined : `ffmpeg ${version}`;
  } catch {
    return undefined;
  }
}

/** What FFmpeg on PATH lacks for H.264, in words; undefined: nothing. */
export async function ffmpegLacks(): Promise<string | undefined> {
  let encoders: string;
  try {
    const { stdout } = await promisify(execFile)('ffmpeg', ['-hide_banner', '-encoders'], {
      timeout: PROBE_MS,
    });
    encoders = stdout;
  } catch {
    return 'ffmpeg cannot be run (on Debian and Ubuntu: apt install ffmpeg)';
  }
  return /\blibx264\b/.test(encoders) ? undefined : 'ffmpeg has no encoder libx264';
}
