import { createHash } from 'node:crypto';
import { nkeys } from '@nats-io/transport-node';

/** What a server in operator mode needs, and the credentials of one of its users. */
export interface NatsAccount {
  /** Lines of the server's configuration. */
  readonly configuration: string;
  /** The content of a `.creds` file. */
  readonly creds: string;
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

const base64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** An operator, its system account, and an account with JetStream and one user, made again. */
export function makeAccount(): NatsAccount {
  const [operator, account, system, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const unlimited = { subs: -1, data: -1, payload: -1 };
  const connections = { ...unlimited, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const jetstream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const operatorJwt = jwt(operator, operator, { type: 'operator', system_account: system.getPublicKey() });
  const accountJwt = jwt(operator, account, { type: 'account', limits: { ...connections, ...jetstream } });
  const systemJwt = jwt(operator, system, { type: 'account', limits: connections });
  const userJwt = jwt(account, user, { type: 'user', ...unlimited });
  const seed = new TextDecoder().decode(user.getSeed());
  return {
    configuration: [
      `operator: ${operatorJwt}`,
      `system_account: ${system.getPublicKey()}`,
      'resolver: MEMORY',
      `resolver_preload: { ${account.getPublicKey()}: ${accountJwt}, ${system.getPublicKey()}: ${systemJwt} }`,
    ].join('\n'),
    creds: [
      '-----BEGIN NATS USER JWT-----',
      userJwt,
      '------END NATS USER JWT------',
      '-----BEGIN USER NKEY SEED-----',
      seed,
      '------END USER NKEY SEED------',
      '',
    ].join('\n'),
  };
}

/** A claim as NATS signs them: JWT with Ed25519 keys of its own form. */
function jwt(issuer: KeyPair, subject: KeyPair, nats: object): string {
  const claims = {
    iat: 1_700_000_000,
    iss: issuer.getPublicKey(),
    name: 'test',
    sub: subject.getPublicKey(),
    nats: { version: 2, ...nats },
  };
  const jti = createHash('sha256').update(JSON.stringify(claims)).digest('hex');
  const head = base64(JSON.stringify({ typ: 'JWT', alg: 'ed25519-nkey' }));
  const signed = `${head}.${base64(JSON.stringify({ jti, ...claims }))}`;
  return `${signed}.${base64(issuer.sign(Buffer.from(signed)))}`;
}
