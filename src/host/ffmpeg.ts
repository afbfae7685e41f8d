import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROBE_MS = 10_000;

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
