import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { HoldfastError } from '../../core/errors.js';

/** Options of Node's TLS that let a robot trust some certificates and no others. */
export interface TrustOptions {
  /** Certificates as PEM, instead of those of the system. */
  readonly ca: string;
  /** A certificate that another one has signed can be trusted without its signer. */
  readonly allowPartialTrustChain: true;
  /** Returns why the names of a verified certificate do not fit; undefined: they do. */
  readonly checkServerIdentity: (host: string, presented: PeerCertificate) => Error | undefined;
}

/** The certificates that a robot trusts at the ground. */
export interface GroundTrust {
  /** The file that has them, as PEM. */
  readonly path: string;
  /** Called before each connection, so that a renewed certificate needs no restart. */
  readonly read: () => Promise<Uint8Array>;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** How Node names what is wrong with a certificate: "X509 certificate error codes" in its documentation of TLS. */
const CERTIFICATE_FAULTS: ReadonlySet<unknown> = new Set([
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['UNABLE_TO_DECRYPT_CERT_SIGNATURE', 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', 'CERT_SIGNATURE_FAILURE'],
  ...['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED', 'ERROR_IN_CERT_NOT_BEFORE_FIELD', 'CERT_REVOKED'],
  ...['ERROR_IN_CERT_NOT_AFTER_FIELD', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
  ...['CERT_CHAIN_TOO_LONG', 'INVALID_CA', 'PATH_LENGTH_EXCEEDED', 'INVALID_PURPOSE', 'CERT_UNTRUSTED'],
  ...['CERT_REJECTED', 'HOSTNAME_MISMATCH', 'ERR_TLS_CERT_ALTNAME_INVALID'],
]);

/**
 * Reads the certificates that a robot trusts. The ground must present one of them, or one that they have signed.
 * The names of the former are not compared: it is the ground's own. The latter must have the name of the ground.
 * Both must be valid today. Undefined: the robot trusts what the system trusts.
 *
 * Throws `GROUND_UNTRUSTED` if the file cannot be read or has no certificate.
 */
export async function readTrust(trust: GroundTrust | undefined): Promise<TrustOptions | undefined> {
  if (trust === undefined) return undefined;
  const facts = { path: trust.path };
  let pem: string;
  try {
    pem = Buffer.from(await trust.read()).toString('utf8');
  } catch (cause) {
    const message = `ground.certificate_file ${trust.path} cannot be read`;
    throw new HoldfastError('GROUND_UNTRUSTED', message, { cause, facts });
  }
  const found = pem.match(CERTIFICATE) ?? [];
  if (found.length === 0) {
    const message = `ground.certificate_file ${trust.path} has no certificate, allowed: certificates as PEM`;
    throw new HoldfastError('GROUND_UNTRUSTED', message, { facts });
  }
  const own = found.map((text, index) => digestOf(text, index + 1, trust.path));
  return {
    ...{ ca: found.join('\n'), allowPartialTrustChain: true },
    checkServerIdentity: (host, presented) =>
      own.includes(presented.fingerprint256) ? undefined : checkServerIdentity(host, presented),
  };
}

/** What the robot says if the certificate of the ground is why it cannot connect; undefined: it is not. */
export function distrust(
  address: string,
  cause: unknown,
  trust: GroundTrust | undefined,
): HoldfastError | undefined {
  if (!isCertificateFault(cause)) return undefined;
  const by =
    trust === undefined
      ? 'this system, and ground.certificate_file is not set'
      : `ground.certificate_file ${trust.path}`;
  const message = `the certificate of ${address} is not trusted by ${by}`;
  return new HoldfastError('GROUND_UNTRUSTED', message, { cause, facts: { address, path: trust?.path } });
}

/** SHA-256, as Node writes it. */
function digestOf(text: string, number: number, path: string): string {
  try {
    return new X509Certificate(text).fingerprint256;
  } catch (cause) {
    const message = `ground.certificate_file ${path}: certificate ${number} cannot be read`;
    throw new HoldfastError('GROUND_UNTRUSTED', message, { cause, facts: { path, number } });
  }
}

function isCertificateFault(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++)
    if (CERTIFICATE_FAULTS.has((at as NodeJS.ErrnoException).code)) return true;
  return false;
}
