import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Certificates of a test, made by openssl, in one folder: `NAME.pem` and `NAME.key`. */
export class Certificates {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  path(name: string, end: 'pem' | 'key' = 'pem'): string {
    return join(this.#folder, `${name}.${end}`);
  }

  /** What a server needs. */
  files(name: string): { readonly cert: string; readonly key: string } {
    return { cert: readFileSync(this.path(name), 'utf8'), key: readFileSync(this.path(name, 'key'), 'utf8') };
  }

  /** Signed by itself, for a host such as `DNS:ground.example`. */
  selfSigned(name: string, host: string): void {
    this.#openssl('req', '-x509', ...this.#key(name), ...named(host), '-days', '2', '-out', this.path(name));
  }

  /** An authority that signs others. */
  authority(name: string): void {
    this.#openssl(
      'req',
      '-x509',
      ...this.#key(name),
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      '-out',
      this.path(name),
    );
  }

  /** Signed by an authority, for a host such as `IP:127.0.0.1`. */
  signed(name: string, host: string, authority: string): void {
    const request = join(this.#folder, `${name}.csr`);
    this.#openssl('req', ...this.#key(name), ...named(host), '-out', request);
    this.#openssl(
      ...['x509', '-req', '-in', request, '-copy_extensions', 'copy', '-CAcreateserial', '-days', '2'],
      ...['-CA', this.path(authority), '-CAkey', this.path(authority, 'key'), '-out', this.path(name)],
    );
  }

  #key(name: string): string[] {
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    return [...kind, '-keyout', this.path(name, 'key')];
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

function named(host: string): string[] {
  return ['-subj', `/CN=${host.replace(/^\w+:/, '')}`, '-addext', `subjectAltName=${host}`];
}
